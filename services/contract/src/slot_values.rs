//! The values with which a person filled the slots of one task.

use std::collections::BTreeMap;

use bus_schema::{SLOTS_BYTES_MAX, json};
use serde::Serialize;
use serde_json::Value;

/// The values of the slots of one task by name; each is a text or a number.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SlotValues(BTreeMap<String, Value>);

impl SlotValues {
    /// Reads the values from canonical JSON; `None` if it is not an object of texts and numbers, or too long.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let Value::Object(values) = json::parse_canonical(bytes, SLOTS_BYTES_MAX).ok()? else {
            return None;
        };
        let fits = |value: &Value| value.is_string() || value.is_number();
        let all = values.values().all(fits);
        all.then(|| Self(values.into_iter().collect()))
    }

    /// Writes the values as canonical JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        json::canonical(&Value::Object(self.0.clone().into_iter().collect()))
    }

    /// The value of a slot, if it is filled in.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Sets the value of a slot and returns the one before.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) -> Option<Value> {
        self.0.insert(name.into(), value)
    }

    /// The names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns true if no slot is filled in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

//! The values that the calls of one rule in a task share, and how often they may repeat one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bus_schema::json;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;

use crate::bound::matching::lookup;
use crate::toml_text::{key, quoted};

/// The values that the calls of one rule in a task share, and how often they may repeat one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repeats {
    /// The maximum calls for each value of an argument, by argument; of a list, each item is a value.
    pub per_value: BTreeMap<String, u64>,
    /// The arguments that have one value in all calls.
    pub same: BTreeSet<String>,
}

/// The reason why a call does not fit to the earlier calls of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit<'r> {
    /// A value of this argument was used this often, its maximum.
    Used(&'r str, u64),
    /// This argument had another value.
    Differs(&'r str),
    /// This argument, or an earlier one, is missing or not known.
    Unknown(&'r str),
}

/// The arguments of an earlier call of the rule; `None` if they are not known.
type Earlier = Option<Map<String, Value>>;

impl Repeats {
    /// Returns true if the calls may have any values.
    pub(crate) fn is_empty(&self) -> bool {
        self.per_value.is_empty() && self.same.is_empty()
    }

    /// Checks the arguments of a call beside those of all earlier calls of the rule.
    pub(crate) fn fit(
        &self,
        args: &Map<String, Value>,
        earlier: &[Earlier],
    ) -> Result<(), Misfit<'_>> {
        for (name, most) in &self.per_value {
            let unknown = || Misfit::Unknown(name);
            let own = values(args, name).ok_or_else(unknown)?;
            let past = earlier.iter().map(|call| values(call.as_ref()?, name));
            let past: Vec<_> = past.collect::<Option<_>>().ok_or_else(unknown)?;
            for value in &own {
                let used = past.iter().filter(|call| call.contains(value)).count();
                if u64::try_from(used).is_ok_and(|used| used >= *most) {
                    return Err(Misfit::Used(name, *most));
                }
            }
        }
        for name in &self.same {
            let exact = |args: &Map<String, Value>| given(args, name).map(json::canonical);
            let own = exact(args).ok_or(Misfit::Unknown(name))?;
            for call in earlier {
                match call.as_ref().and_then(exact) {
                    Some(past) if past == own => {}
                    Some(_) => return Err(Misfit::Differs(name)),
                    None => return Err(Misfit::Unknown(name)),
                }
            }
        }
        Ok(())
    }
}

/// Returns the value of an argument that is neither absent nor null.
fn given<'v>(args: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    lookup(args, name).filter(|value| !value.is_null())
}

/// Returns the values of an argument, the items of a list each; upper and lower case are equal, so that no spelling is
/// another value. `None` without a value.
fn values(args: &Map<String, Value>, name: &str) -> Option<BTreeSet<String>> {
    let value = given(args, name)?;
    let items = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    let each = items.iter().map(|item| {
        let text = String::from_utf8_lossy(&json::canonical(item)).to_lowercase();
        text.nfc().collect()
    });
    let values: BTreeSet<String> = each.collect();
    (!values.is_empty()).then_some(values)
}

/// Writes the keys of a rule that parse to the same.
impl fmt::Display for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: Vec<&String>| {
            let names: Vec<String> = names.into_iter().map(|name| quoted(name)).collect();
            names.join(", ")
        };
        let once = self.per_value.iter().filter(|(_, most)| **most == 1);
        let once: Vec<&String> = once.map(|(name, _)| name).collect();
        if !once.is_empty() {
            writeln!(f, "distinct = [{}]", list(once))?;
        }
        let more = self.per_value.iter().filter(|(_, most)| **most > 1);
        let more: Vec<String> = more
            .map(|(name, most)| format!("{} = {most}", key(name)))
            .collect();
        if !more.is_empty() {
            writeln!(f, "per_value = {{ {} }}", more.join(", "))?;
        }
        if !self.same.is_empty() {
            writeln!(f, "same = [{}]", list(self.same.iter().collect()))?;
        }
        Ok(())
    }
}

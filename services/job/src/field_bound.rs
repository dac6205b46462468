//! Reads conditions on values, in the words of the contract language.

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use crate::FieldBound;

/// The keys of a condition.
pub const BOUND_KEYS: &[&str] = &["is", "prefix", "suffix", "min", "max", "present"];
/// The forms of a condition, as a fix.
pub const BOUND_FIX: &str = "write a value, a list of values, { prefix = \"a\" }, { suffix = \"b\" }, { min = 1, max = 9 } or \
                         { present = true }";

impl FieldBound {
    /// Reads a condition: a value, a list of values, or a table with a condition alone.
    #[must_use]
    pub fn of_value(value: &DeValue<'_>) -> Option<Self> {
        let values = match value {
            DeValue::Table(table) => return Self::of_table(table, 0),
            DeValue::Array(values) => {
                let values = values.iter().map(|one| scalar(one.get_ref()));
                values.collect::<Option<Vec<_>>>()
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => scalar(value).map(|one| vec![one]),
        };
        values.filter(|values| !values.is_empty()).map(Self::Is)
    }

    /// Reads the condition in a table that has `others` keys of another meaning.
    #[must_use]
    pub fn of_table(table: &DeTable<'_>, others: usize) -> Option<Self> {
        let text = |key: &str| table.get(key)?.get_ref().as_str().map(str::to_owned);
        let number = |key: &str| scalar(table.get(key)?.get_ref())?.as_f64();
        let own = table.len().checked_sub(others)?;
        let (min, max) = (number("min"), number("max"));
        let ends = usize::from(min.is_some()) + usize::from(max.is_some());
        if ends > 0 && ends == own {
            return Some(Self::Range { min, max });
        }
        if own != 1 {
            return None;
        }
        let is = table.get("is").map(|is| is.get_ref());
        if let Some(is) = is.filter(|is| is.as_table().is_none()) {
            return Self::of_value(is);
        }
        let present = table.get("present").and_then(|one| one.get_ref().as_bool());
        text("prefix")
            .map(Self::Prefix)
            .or_else(|| text("suffix").map(Self::Suffix))
            .or_else(|| present.map(Self::Present))
    }
}

/// Returns a text, a number, true or false.
#[must_use]
pub fn scalar(value: &DeValue<'_>) -> Option<Json> {
    match value {
        DeValue::String(text) => Some(Json::from(text.as_ref())),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(Json::from(number))
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(Json::from),
        DeValue::Boolean(is) => Some(Json::from(*is)),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

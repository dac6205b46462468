//! Creates bounds that match only the recorded arguments, as far as the language can.

use std::collections::BTreeMap;

use diagnostic::is_hidden;
use serde_json::{Map, Value};

use crate::bound::length::Length;
use crate::bound::scalar::Scalar;
use crate::bound::{Bound, Predicate};
use crate::toml_text::quoted;

/// Maximum length of a text that is bound exactly, in characters.
const TEXT_CHARS_MAX: usize = 4000;

/// The bounds and conditions on arguments.
#[derive(Debug, Default)]
pub(super) struct Exact {
    pub(super) bounds: BTreeMap<String, Bound>,
    /// The additional conditions, in Cedar.
    pub(super) conditions: Vec<String>,
    /// True if only the given arguments match, up to the order of list items.
    pub(super) complete: bool,
}

/// Creates bounds for arguments, for a rule with `only`.
pub(super) fn of(args: &Map<String, Value>) -> Exact {
    let mut exact = Exact {
        complete: true,
        ..Exact::default()
    };
    for (name, value) in args {
        exact.add(name, value);
    }
    exact
}

impl Exact {
    fn add(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => self.bound(name, Predicate::absent()),
            Value::String(text) if text.chars().count() > TEXT_CHARS_MAX => {
                let length = Length::of(value);
                self.complete = false;
                self.bound(
                    name,
                    Predicate::Length(Length {
                        min: length,
                        max: length,
                    }),
                );
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => match Scalar::of(value) {
                Some(scalar) => {
                    self.bounds
                        .insert(name.to_owned(), Bound::OneOf(vec![scalar]));
                }
                None => self.complete = false,
            },
            Value::Array(items) => self.list(name, items),
            Value::Object(map) => {
                // An object without fields has none that a bound could name.
                self.complete &= !map.is_empty() && !map.keys().any(|key| key.contains('.'));
                for (key, value) in map {
                    self.add(&format!("{name}.{key}"), value);
                }
            }
        }
    }

    /// Bounds a list: its length, a set for its items, and the presence of each item.
    fn list(&mut self, name: &str, items: &[Value]) {
        let length = u64::try_from(items.len()).ok();
        let mut predicates = vec![Predicate::Length(Length {
            min: length,
            max: length,
        })];
        let mut each: Vec<Scalar> = Vec::new();
        let mut plain = true;
        for item in items {
            let short = item
                .as_str()
                .is_none_or(|text| text.chars().count() <= TEXT_CHARS_MAX);
            match Scalar::of(item).filter(|_| short) {
                Some(scalar) if !each.contains(&scalar) => each.push(scalar),
                Some(_) => {}
                None => plain = false,
            }
        }
        // If one value is there twice, the bounds also match a list with another value twice.
        self.complete &= plain && (each.len() == items.len() || each.len() == 1);
        if plain && !each.is_empty() {
            if each.len() > 1 {
                self.conditions.extend(there(name, items));
                self.complete &= there(name, items).is_some();
            }
            predicates.push(Predicate::every(Bound::OneOf(each)));
        }
        self.bounds.insert(name.to_owned(), Bound::All(predicates));
    }

    fn bound(&mut self, name: &str, predicate: Predicate) {
        self.bounds
            .insert(name.to_owned(), Bound::All(vec![predicate]));
    }
}

/// Writes the condition that a list has each of these items.
fn there(name: &str, items: &[Value]) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let each: Option<Vec<String>> = items
        .iter()
        .map(|item| match item {
            Value::String(text) if !text.chars().any(is_hidden) => Some(quoted(text)),
            Value::Number(number) if number.is_i64() => Some(number.to_string()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        })
        .collect();
    Some(format!(
        "args has {name} && args.{name}.containsAll([{}])",
        each?.join(", ")
    ))
}

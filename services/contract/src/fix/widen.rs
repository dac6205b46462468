//! Creates the narrowest bound that matches a value.

use serde_json::Value;

use crate::bound::fields::Fields;
use crate::bound::length::Length;
use crate::bound::scalar::Scalar;
use crate::bound::{Bound, Predicate};

/// Maximum length of a text that is bound exactly, in characters; a longer one is bound by its length.
const EXACT_CHARS_MAX: usize = 200;
/// Maximum number of objects in a list whose fields are bound.
const OBJECTS_MAX: usize = 8;

/// Returns the narrowest readable bound that matches `value`.
pub(super) fn exactly(value: &Value) -> Option<Bound> {
    match value {
        Value::String(text) if text.chars().count() > EXACT_CHARS_MAX => {
            Some(Bound::All(vec![Predicate::long(Length::of(value)?)]))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let (first, rest) = items.split_first()?;
            let bound = exactly(first)?;
            let same = rest.len() < OBJECTS_MAX && rest.iter().all(|item| item == first);
            let every = Predicate::every(bound);
            same.then(|| {
                Bound::All(vec![
                    Predicate::long(Length::of(value).unwrap_or_default()),
                    every,
                ])
            })
        }
        Value::Object(fields) if !fields.is_empty() => {
            let each = fields
                .iter()
                .map(|(name, value)| Some((name.clone(), exactly(value)?)));
            let fields = each.collect::<Option<_>>()?;
            Some(Bound::All(vec![Predicate::Fields(Fields {
                fields,
                exact: true,
            })]))
        }
        Value::Array(items) => {
            let mut all = vec![Predicate::long(Length::of(value)?)];
            let mut set: Vec<Scalar> = Vec::new();
            for item in items {
                let item = Scalar::of(item)?;
                if !set.contains(&item) {
                    set.push(item);
                }
            }
            if !set.is_empty() {
                all.push(Predicate::every(Bound::OneOf(set)));
            }
            Some(Bound::All(all))
        }
        Value::Null => Some(Bound::All(vec![Predicate::absent()])),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some(Bound::OneOf(vec![Scalar::of(value)?]))
        }
    }
}

//! Gives values to the inputs of a playbook: they become part of its text, so the owner signs them with it.

use std::collections::BTreeMap;

use diagnostic::nearest;
use serde_json::{Map, Value};

use super::{Input, Playbook};

/// Values that do not fit the inputs of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {fix}")]
pub struct InputError {
    problem: String,
    fix: String,
}

impl Playbook {
    /// Its inputs, in the order of their names.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.inputs.declared.values()
    }

    /// The values of its inputs: given ones, or else defaults.
    #[must_use]
    pub const fn input_values(&self) -> &Map<String, Value> {
        &self.inputs.values
    }

    /// Its inputs without a value.
    pub fn missing(&self) -> impl Iterator<Item = &Input> {
        self.inputs.missing()
    }

    /// Reads the value of an input in a text.
    ///
    /// # Errors
    /// [`InputError`], if there is no such input or the text is no value of it.
    pub fn typed(&self, name: &str, text: &str) -> Result<Value, InputError> {
        let input = self.input(name)?;
        let wrong = |found| unfit(input, found);
        input.typed(text).map_err(wrong)
    }

    /// Returns the playbook with these values in a table `[given]` at its end; unchanged without any.
    ///
    /// # Errors
    /// [`InputError`], for a value that fits no input, an input without a value, and a playbook that has values already.
    pub fn with_inputs(&self, given: &BTreeMap<String, Value>) -> Result<Self, InputError> {
        if self.inputs.given && !given.is_empty() {
            return Err(InputError {
                problem: "the playbook has values under `[given]` already".to_owned(),
                fix: "remove that table".to_owned(),
            });
        }
        for (name, value) in given {
            let input = self.input(name)?;
            input.check(value).map_err(|found| unfit(input, found))?;
        }
        let mut missing = self.missing();
        if let Some(input) = missing.find(|input| !given.contains_key(input.name())) {
            return Err(InputError {
                problem: format!("the input `{}` has no value", input.name()),
                fix: format!("it is {}", input.said()),
            });
        }
        if given.is_empty() {
            return Ok(self.clone());
        }
        let wrong = |problem: String| InputError {
            problem,
            fix: "give it other values".to_owned(),
        };
        let table = BTreeMap::from([("given", given)]);
        let table = toml::to_string(&table).map_err(|error| wrong(error.to_string()))?;
        let text = format!("{}\n\n{table}", self.source.trim_end());
        Self::parse("playbook", &text).map_err(|error| wrong(error.to_string()))
    }

    fn input(&self, name: &str) -> Result<&Input, InputError> {
        let declared = &self.inputs.declared;
        declared.get(name).ok_or_else(|| {
            let names = declared.keys().map(String::as_str);
            let fix = match nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None if declared.is_empty() => "declare it under `[input]` first".to_owned(),
                None => {
                    let names = declared.keys().map(|name| format!("`{name}`"));
                    format!("it has {}", names.collect::<Vec<_>>().join(", "))
                }
            };
            InputError {
                problem: format!("the playbook `{}` has no input `{name}`", self.name),
                fix,
            }
        })
    }
}

fn unfit(input: &Input, found: String) -> InputError {
    InputError {
        problem: format!("the value of the input `{}` {found}", input.name()),
        fix: format!("write {}", input.said()),
    }
}

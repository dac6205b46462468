//! Puts a past together in which rules that look at it can hold.

use serde_json::{Map, Value, json};

use crate::bounds::{Bound, Operator, lookup};
use crate::catalogue::Catalogue;
use crate::diff::Earlier;
use crate::origin::Origin;

/// Most earlier calls.
const EARLIER_MAX: usize = 12;

/// The past that is put together.
pub(super) struct Past<'a> {
    catalogue: &'a Catalogue,
    pub(super) words: Vec<String>,
    pub(super) earlier: Vec<Earlier>,
}

impl<'a> Past<'a> {
    pub(super) fn new(catalogue: &'a Catalogue) -> Self {
        Self {
            catalogue,
            words: Vec::new(),
            earlier: Vec::new(),
        }
    }

    pub(super) fn call(&mut self, tool: &str, args: Map<String, Value>, result: Option<Value>) {
        let Some(tool) = self.catalogue.get(tool) else {
            return;
        };
        let one = Earlier {
            tool: tool.name().to_string(),
            args,
            result,
            output: tool.output(),
        };
        if !self.earlier.contains(&one) && self.earlier.len() < EARLIER_MAX {
            self.earlier.push(one);
        }
    }

    pub(super) fn bound(&mut self, bound: &Bound, value: &Value) {
        let Bound::All(operators) = bound else { return };
        for operator in operators {
            match (operator, value) {
                (Operator::From(origins), _) => {
                    origins.iter().for_each(|origin| self.origin(origin, value));
                }
                (Operator::Fields(fields), Value::Object(object)) => {
                    for (name, bound) in fields {
                        if let Some(value) = lookup(object, name) {
                            self.bound(bound, value);
                        }
                    }
                }
                (Operator::Every(bound) | Operator::Any(bound), Value::Array(items)) => {
                    items.iter().for_each(|item| self.bound(bound, item));
                }
                (Operator::Not(bound), value) => self.bound(bound, value),
                (
                    Operator::Present(_)
                    | Operator::Optional
                    | Operator::Range { .. }
                    | Operator::Path(_)
                    | Operator::Length { .. }
                    | Operator::Prefix(_)
                    | Operator::Suffix(_)
                    | Operator::Like(_)
                    | Operator::Host(_)
                    | Operator::Url(_)
                    | Operator::Email(_)
                    | Operator::Date { .. }
                    | Operator::Relation(..)
                    | Operator::Fields(_)
                    | Operator::Every(_)
                    | Operator::Any(_),
                    _,
                ) => {}
            }
        }
    }

    fn origin(&mut self, origin: &Origin, value: &Value) {
        match origin {
            Origin::Task => {
                let text = value.as_str().map(str::to_owned);
                self.words.push(text.unwrap_or_else(|| value.to_string()));
            }
            Origin::Field { tool, field } => {
                let result = result(field.as_str(), value);
                self.call(tool, Map::new(), Some(result));
            }
            Origin::Argument { tool, argument } => {
                let args = within(&json!({}), argument, value.clone());
                let args = args.as_object().cloned().unwrap_or_default();
                self.call(tool, args, None);
            }
        }
    }
}

/// A result in which a value stands at a way such as `results[].email`.
fn result(field: &str, value: &Value) -> Value {
    let mut result = value.clone();
    for part in field.split('.').rev() {
        let name = part.trim_end_matches("[]");
        for _ in 0..(part.len() - name.len()) / 2 {
            result = json!([result]);
        }
        if !name.is_empty() {
            result = json!({ name: result });
        }
    }
    result
}

/// An object with a value at a name with dots.
pub(super) fn within(object: &Value, name: &str, value: Value) -> Value {
    let mut whole = object.as_object().cloned().unwrap_or_default();
    match name.split_once('.') {
        None => {
            whole.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = whole.get(first).cloned().unwrap_or_else(|| json!({}));
            whole.insert(first.to_owned(), within(&inner, rest, value));
        }
    }
    Value::Object(whole)
}

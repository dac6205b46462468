//! The body of a request: a JSON template, in which `{"$value": NAME}` stands for an argument, and `{"$json": NAME}` for the
//! JSON that an argument has as its text.

use bus_schema::{CONTENT_BYTES_MAX, json};
use serde_json::{Map, Value};

use super::args_error::HttpArgsError;
use super::texts::is_name;

/// The member that stands for an argument: `{"$value": "text"}`.
const VALUE: &str = "$value";
/// The member that stands for the JSON in the text of an argument: `{"$json": "messages"}`.
const JSON: &str = "$json";

/// Most levels of a template.
const DEPTH_MAX: usize = 32;

/// Checks a template.
///
/// # Errors
/// Returns the problem.
pub(super) fn check(template: &Value) -> Result<(), String> {
    fn visit(template: &Value, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!(
                "has more than {DEPTH_MAX} levels; write a flatter one"
            ));
        }
        match template {
            Value::Object(members) if members.contains_key(VALUE) || members.contains_key(JSON) => {
                match argument(members) {
                    Some(_) => Ok(()),
                    None => Err(format!(
                        "has `{VALUE}` or `{JSON}` in another form than {{\"{VALUE}\": \"name\"}}, alone in its object"
                    )),
                }
            }
            Value::Object(members) => {
                let mut inner = members.values();
                inner.try_for_each(|inner| visit(inner, depth + 1))
            }
            Value::Array(items) => items.iter().try_for_each(|item| visit(item, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }
    visit(template, 0)
}

/// Returns the arguments that a template takes; true for those that every call needs. Only a member of an object is left
/// out with its argument.
pub(super) fn values(template: &Value) -> Vec<(&str, bool)> {
    let found = placeholders(template).into_iter();
    found
        .map(|(argument, is_member)| (argument.name(), !is_member))
        .collect()
}

/// Returns the arguments that a template has as JSON, and nowhere as a value.
pub(super) fn jsons(template: &Value) -> Vec<&str> {
    let found = placeholders(template);
    let is_value = |wanted: &str| {
        let mut each = found.iter();
        each.any(|(argument, _)| matches!(argument, Placeholder::Value(name) if *name == wanted))
    };
    let names = found.iter().filter_map(|(argument, _)| match argument {
        Placeholder::Json(name) => Some(*name),
        Placeholder::Value(_) => None,
    });
    names.filter(|name| !is_value(name)).collect()
}

/// Returns the parts of a template that stand for arguments; true for members of objects.
fn placeholders(template: &Value) -> Vec<(Placeholder<'_>, bool)> {
    fn visit<'t>(template: &'t Value, is_member: bool, found: &mut Vec<(Placeholder<'t>, bool)>) {
        match template {
            Value::Object(members) => match argument(members) {
                Some(argument) => found.push((argument, is_member)),
                None => members.values().for_each(|inner| visit(inner, true, found)),
            },
            Value::Array(items) => items.iter().for_each(|item| visit(item, false, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    visit(template, false, &mut found);
    found
}

/// Fills a template.
///
/// # Errors
/// [`HttpArgsError::Missing`] for an argument that is missing and that it needs, [`HttpArgsError::Json`] for a text that is no
/// JSON.
pub(super) fn fill(template: &Value, args: &Map<String, Value>) -> Result<Value, HttpArgsError> {
    match template {
        Value::Object(members) => {
            if let Some(argument) = argument(members) {
                let value = argument.value(args)?;
                return value.ok_or_else(|| HttpArgsError::Missing(argument.name().to_owned()));
            }
            let mut filled = Map::new();
            for (key, inner) in members {
                let value = match inner.as_object().and_then(argument) {
                    Some(argument) => argument.value(args)?,
                    None => Some(fill(inner, args)?),
                };
                filled.extend(value.map(|value| (key.clone(), value)));
            }
            Ok(Value::Object(filled))
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| fill(item, args));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(template.clone()),
    }
}

/// A part of a template that stands for an argument.
#[derive(Debug, Clone, Copy)]
enum Placeholder<'t> {
    /// The value.
    Value(&'t str),
    /// The JSON that its text is.
    Json(&'t str),
}

impl<'t> Placeholder<'t> {
    const fn name(self) -> &'t str {
        match self {
            Self::Value(name) | Self::Json(name) => name,
        }
    }

    /// Returns what stands in the body; none without the argument.
    fn value(self, args: &Map<String, Value>) -> Result<Option<Value>, HttpArgsError> {
        let Some(value) = args.get(self.name()) else {
            return Ok(None);
        };
        match self {
            Self::Value(_) => Ok(Some(value.clone())),
            Self::Json(name) => {
                let text = value.as_str().map(str::as_bytes);
                let read = text.and_then(|text| json::parse(text, CONTENT_BYTES_MAX).ok());
                let wrong = || HttpArgsError::Json(name.to_owned());
                read.map(Some).ok_or_else(wrong)
            }
        }
    }
}

fn argument(members: &Map<String, Value>) -> Option<Placeholder<'_>> {
    let (key, name) = members.iter().next()?;
    let name = name.as_str().filter(|name| is_name(name))?;
    match key.as_str() {
        VALUE if members.len() == 1 => Some(Placeholder::Value(name)),
        JSON if members.len() == 1 => Some(Placeholder::Json(name)),
        _ => None,
    }
}

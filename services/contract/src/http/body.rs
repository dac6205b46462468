//! The body of a request: a JSON template, in which `{"$value": NAME}` stands for an argument.

use serde_json::{Map, Value};

use super::texts::is_name;

/// The member that stands for an argument: `{"$value": "text"}`.
const VALUE: &str = "$value";

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
            Value::Object(members) if members.contains_key(VALUE) => match argument(members) {
                Some(_) => Ok(()),
                None => Err(format!(
                    "has `{VALUE}` in another form than {{\"{VALUE}\": \"name\"}}, alone in its object"
                )),
            },
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
    fn visit<'t>(template: &'t Value, is_member: bool, found: &mut Vec<(&'t str, bool)>) {
        match template {
            Value::Object(members) => match argument(members) {
                Some(name) => found.push((name, !is_member)),
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

/// Fills a template; `None` if an argument is missing that it needs.
pub(super) fn fill(template: &Value, args: &Map<String, Value>) -> Option<Value> {
    match template {
        Value::Object(members) => {
            if let Some(name) = argument(members) {
                return args.get(name).cloned();
            }
            let mut filled = Map::new();
            for (key, inner) in members {
                let is_value = inner.as_object().and_then(argument);
                match (is_value, fill(inner, args)) {
                    (_, Some(value)) => drop(filled.insert(key.clone(), value)),
                    (Some(_), None) => {}
                    (None, None) => return None,
                }
            }
            Some(Value::Object(filled))
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| fill(item, args));
            items.collect::<Option<_>>().map(Value::Array)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Some(template.clone())
        }
    }
}

fn argument(members: &Map<String, Value>) -> Option<&str> {
    let name = members.get(VALUE)?.as_str()?;
    (members.len() == 1 && is_name(name)).then_some(name)
}

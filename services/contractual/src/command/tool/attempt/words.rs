//! Reads the arguments of a call from the words of a command line, by the schema of the tool.

use bus_schema::{CONTENT_BYTES_MAX, json};
use contract::Tool;
use diagnostic::{escaped, nearest};
use serde_json::{Map, Value};

use crate::Error;

/// Reads one JSON object, or `name=value` for each argument, and checks the result against the schema.
///
/// # Errors
/// [`Error::Document`] with what to write instead.
pub(super) fn arguments(tool: &Tool, words: &[String]) -> Result<Value, Error> {
    let arguments = match words {
        [one] if one.trim_start().starts_with('{') => parsed("the arguments", one)?,
        words => Value::Object(pairs(tool, words)?),
    };
    tool.check_arguments(&arguments).map_err(|problem| {
        let name = tool.name();
        Error::Document(format!(
            "the arguments do not fit the `input_schema` of `{name}` {problem}; correct them, or the schema"
        ))
    })?;
    Ok(arguments)
}

fn pairs(tool: &Tool, words: &[String]) -> Result<Map<String, Value>, Error> {
    let schema = tool.input_schema();
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut found = Map::new();
    for word in words {
        let Some((name, text)) = word.split_once('=') else {
            let shown = escaped(word);
            return Err(Error::Document(format!(
                "`{shown}` has no `=`; write `name=value` for each argument, or all of them as one JSON object"
            )));
        };
        let Some(property) = properties.and_then(|all| all.get(name)) else {
            return Err(unknown(tool, name));
        };
        let is_list = property.get("type").and_then(Value::as_str) == Some("array");
        if is_list && !text.trim_start().starts_with('[') {
            let element = typed(name, property.get("items"), text)?;
            let list = found
                .entry(name)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(element);
            }
        } else if found.contains_key(name) {
            return Err(Error::Document(format!(
                "the argument `{name}` is there twice; remove one of the two"
            )));
        } else {
            found.insert(name.to_owned(), typed(name, Some(property), text)?);
        }
    }
    Ok(found)
}

/// Reads a value: a text where the schema permits one, JSON otherwise.
fn typed(name: &str, schema: Option<&Value>, text: &str) -> Result<Value, Error> {
    let types = schema.and_then(|schema| schema.get("type"));
    let is_text = match types {
        Some(Value::String(one)) => one == "string",
        Some(Value::Array(some)) => some.iter().any(|one| one == "string"),
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => true,
    };
    if is_text {
        return Ok(Value::from(text));
    }
    parsed(&format!("`{name}`"), text)
}

fn parsed(what: &str, text: &str) -> Result<Value, Error> {
    json::parse(text.as_bytes(), CONTENT_BYTES_MAX).map_err(|error| {
        Error::Document(format!(
            "{what} cannot be read as JSON ({error}); correct it"
        ))
    })
}

fn unknown(tool: &Tool, name: &str) -> Error {
    let properties = tool.input_schema().get("properties");
    let properties = properties.and_then(Value::as_object);
    let names: Vec<&str> = properties
        .into_iter()
        .flat_map(|all| all.keys().map(String::as_str))
        .collect();
    let fix = match nearest(name, names.iter().copied()) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None if names.is_empty() => "it takes none; leave it out".to_owned(),
        None => format!("write one of: {}", names.join(", ")),
    };
    let (tool, shown) = (tool.name(), escaped(name));
    Error::Document(format!("`{tool}` takes no argument `{shown}`; {fix}"))
}

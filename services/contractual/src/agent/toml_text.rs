//! Changes of one value in a TOML text, which keep its comments and its order.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value as TomlValue};

/// Returns the text with this value at the keys, or without one.
///
/// # Errors
/// The text is not valid, or a key leads through something that is no table; one line.
pub(super) fn with(text: &str, keys: &[String], value: Option<&Value>) -> Result<String, String> {
    let parsed: Result<DocumentMut, _> = text.parse();
    let mut document = parsed.map_err(|error| error.message().to_owned())?;
    put(document.as_table_mut(), keys, value)?;
    Ok(document.to_string())
}

fn put(table: &mut Table, keys: &[String], value: Option<&Value>) -> Result<(), String> {
    let Some((key, rest)) = keys.split_first() else {
        return Ok(());
    };
    if rest.is_empty() {
        let new = match value {
            None => {
                table.remove(key);
                return Ok(());
            }
            Some(Value::Object(map)) => {
                let mut inner = Table::new();
                for (key, value) in map {
                    inner.insert(key, Item::Value(converted(value)?));
                }
                Item::Table(inner)
            }
            Some(value) => Item::Value(converted(value)?),
        };
        // A key that exists keeps its comments.
        match table.get_mut(key) {
            Some(item) => *item = new,
            None => drop(table.insert(key, new)),
        }
        return Ok(());
    }
    let new = || {
        let mut inner = Table::new();
        inner.set_implicit(true);
        Item::Table(inner)
    };
    let Some(inner) = table.entry(key).or_insert_with(new).as_table_mut() else {
        return Err(format!("`{key}` is no table of the form [{key}]"));
    };
    put(inner, rest, value)?;
    if value.is_none() && inner.is_empty() {
        table.remove(key);
    }
    Ok(())
}

fn converted(value: &Value) -> Result<TomlValue, String> {
    Ok(match value {
        Value::Null => return Err("TOML has no null".to_owned()),
        Value::Bool(yes) => TomlValue::from(*yes),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => TomlValue::from(whole),
            None => TomlValue::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => TomlValue::from(text.as_str()),
        Value::Array(items) => {
            let mut all = Array::new();
            for item in items {
                all.push(converted(item)?);
            }
            TomlValue::from(all)
        }
        Value::Object(map) => {
            let mut inner = InlineTable::new();
            for (key, value) in map {
                inner.insert(key, converted(value)?);
            }
            TomlValue::from(inner)
        }
    })
}

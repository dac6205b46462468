//! Makes values that a JSON Schema takes, as far as it says so plainly.

use serde_json::{Map, Value, json};

/// Longest text that is made.
pub(super) const LENGTH_MAX: u64 = 4000;
/// Deepest nesting that is made.
const DEPTH_MAX: usize = 6;
/// Longest list that is made.
const ITEMS_MAX: usize = 200;

/// A value that a schema takes.
pub(super) fn of_schema(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(way) = schema.get("$ref").and_then(Value::as_str) {
        let found = way.strip_prefix('#').and_then(|way| root.pointer(way));
        return found.map_or(Value::Null, |found| of_schema(found, root, depth + 1));
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values.first().cloned().unwrap_or_default();
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(key).and_then(|all| all.get(0)) {
            return of_schema(first, root, depth + 1);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or_default(),
        _ => "string",
    };
    match kind {
        "integer" | "number" => {
            let end = ["minimum", "maximum"]
                .into_iter()
                .find_map(|key| schema.get(key));
            end.cloned().unwrap_or_else(|| json!(1))
        }
        "boolean" => json!(true),
        "array" => {
            let item = schema.get("items");
            let item = item.map_or_else(|| json!("x"), |item| of_schema(item, root, depth + 1));
            json!([item])
        }
        "object" => {
            let mut object = Map::new();
            let required = schema.get("required").and_then(Value::as_array);
            for name in required.into_iter().flatten().filter_map(Value::as_str) {
                let inner = schema.get("properties").and_then(|all| all.get(name));
                let inner = inner.map_or(Value::Null, |inner| of_schema(inner, root, depth + 1));
                object.insert(name.to_owned(), inner);
            }
            Value::Object(object)
        }
        _ => {
            let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(1);
            long(least.clamp(1, LENGTH_MAX), &Value::Null)
        }
    }
}

/// A text of a length, or a list if `plain` is one.
pub(super) fn long(length: u64, plain: &Value) -> Value {
    let length = usize::try_from(length).unwrap_or_default();
    match plain {
        Value::Array(items) => {
            let item = items.first().cloned().unwrap_or_else(|| json!("x"));
            Value::Array(vec![item; length.min(ITEMS_MAX)])
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            json!("x".repeat(length))
        }
    }
}

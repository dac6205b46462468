//! Converts JSON Schemas of draft 7 to 2020-12, so that one validator reads both.

use serde_json::{Map, Value};

/// The dialect of every schema after conversion.
pub(super) const NEWEST: &str = "https://json-schema.org/draft/2020-12/schema";

/// Supported dialects; [`modern`] converts them.
const READ: [&str; 5] = [
    NEWEST,
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft-07/schema",
    "http://json-schema.org/schema",
    "https://json-schema.org/draft/2019-09/schema",
];

/// Formats that are not checked: they describe storage or display, not the set of values.
const TOLD: [&str; 17] = [
    "int32",
    "int64",
    "uint",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float",
    "double",
    "decimal",
    "password",
    "byte",
    "binary",
    "path",
    "file-path",
    "directory-path",
    "json-string",
];

pub(super) fn is_read(dialect: &str) -> bool {
    READ.contains(&dialect.trim_end_matches('#'))
}

/// Renames keywords of draft 7 to those of 2020-12: a list under `items` becomes `prefixItems`, and
/// `dependencies` become `dependentSchemas` or `dependentRequired`. Removes `$schema`.
pub(super) fn modern(schema: &mut Value) {
    let Value::Object(map) = schema else {
        if let Value::Array(items) = schema {
            items.iter_mut().for_each(modern);
        }
        return;
    };
    map.remove("$schema");
    let told = map.get("format").and_then(Value::as_str);
    if told.is_some_and(|format| TOLD.contains(&format)) {
        map.remove("format");
    }
    if map.get("items").is_some_and(Value::is_array) {
        let prefix = map.remove("items").unwrap_or_default();
        map.insert("prefixItems".to_owned(), prefix);
        if let Some(rest) = map.remove("additionalItems") {
            map.insert("items".to_owned(), rest);
        }
    }
    if let Some(Value::Object(each)) = map.remove("dependencies") {
        let lists = |value: &Value| value.is_array();
        let (required, schemas): (Map<_, _>, Map<_, _>) =
            each.into_iter().partition(|(_, value)| lists(value));
        for (key, some) in [
            ("dependentRequired", required),
            ("dependentSchemas", schemas),
        ] {
            if !some.is_empty() {
                map.insert(key.to_owned(), Value::Object(some));
            }
        }
    }
    // Values that are data, not schemas, stay as they are.
    for (key, value) in map.iter_mut() {
        match key.as_str() {
            "const" | "enum" | "default" | "examples" | "required" => {}
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                if let Value::Object(each) = value {
                    each.values_mut().for_each(modern);
                }
            }
            _ => modern(value),
        }
    }
}

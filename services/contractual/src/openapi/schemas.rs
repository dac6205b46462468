//! Converts schemas of a document to JSON Schemas of an entry: their references point into its `$defs`.

use serde_json::{Map, Value, json};

use super::document::Document;
use crate::fact::summary;

/// Most named schemas that one entry takes.
const DEFINITIONS_MAX: usize = 256;
/// Most levels of one schema.
const DEPTH_MAX: usize = 64;
/// Most characters of a description.
const DESCRIPTION_CHARS: usize = 300;
/// The place of a document's named schemas.
const COMPONENTS: &str = "#/components/schemas/";

/// Keywords whose values say the same in both.
const SAME: [&str; 17] = [
    "type",
    "enum",
    "const",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// The direction of the values that a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Without properties that only an answer has.
    Sent,
    /// Without properties that only a request has.
    Received,
}

/// The schemas of one entry.
#[derive(Debug)]
pub(super) struct Schemas<'d> {
    document: &'d Document,
    direction: Direction,
    /// The named schemas by their names; `null` until they are converted.
    named: Map<String, Value>,
    waiting: Vec<String>,
}

impl<'d> Schemas<'d> {
    pub(super) fn new(document: &'d Document, direction: Direction) -> Self {
        Self {
            document,
            direction,
            named: Map::new(),
            waiting: Vec::new(),
        }
    }

    /// Converts a schema.
    ///
    /// # Errors
    /// Returns the problem of a schema that cannot be taken.
    pub(super) fn convert(&mut self, schema: &Value) -> Result<Value, String> {
        self.at_depth(schema, 0)
    }

    /// Returns the named schemas that the converted ones refer to.
    ///
    /// # Errors
    /// Returns the problem of a schema that cannot be taken.
    pub(super) fn definitions(mut self) -> Result<Map<String, Value>, String> {
        while let Some(name) = self.waiting.pop() {
            let reference = json!({ "$ref": format!("{COMPONENTS}{}", escaped(&name)) });
            let document = self.document;
            let schema = document.resolve(&reference)?.clone();
            let converted = self.convert(&schema)?;
            self.named.insert(name, converted);
        }
        Ok(self.named)
    }

    fn at_depth(&mut self, schema: &Value, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(format!("a schema has more than {DEPTH_MAX} levels"));
        }
        let members = match schema {
            Value::Object(members) => members,
            Value::Bool(_) => return Ok(schema.clone()),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err("a schema is neither an object nor a truth value".to_owned());
            }
        };
        if let Some(reference) = members.get("$ref") {
            return self.reference(reference);
        }
        let mut converted = Map::new();
        for (key, value) in members {
            let value = match key.as_str() {
                "description" => value.as_str().map(|text| json!(described(text))),
                "properties" => Some(self.properties(value, depth)?),
                "required" => Some(self.required(members)),
                "items" | "not" => Some(self.at_depth(value, depth + 1)?),
                "additionalProperties" if value.is_object() => {
                    Some(self.at_depth(value, depth + 1)?)
                }
                "additionalProperties" => Some(value.clone()),
                "allOf" | "anyOf" | "oneOf" | "prefixItems" => Some(self.each(value, depth)?),
                key if SAME.contains(&key) => Some(value.clone()),
                _ => None,
            };
            if let Some(value) = value {
                converted.insert(key.clone(), value);
            }
        }
        bounds(&mut converted);
        if members.get("nullable") == Some(&Value::Bool(true)) {
            return Ok(nullable(converted));
        }
        Ok(Value::Object(converted))
    }

    fn reference(&mut self, reference: &Value) -> Result<Value, String> {
        let reference = reference.as_str().unwrap_or_default();
        let name = reference
            .strip_prefix(COMPONENTS)
            .filter(|name| !name.contains('/'))
            .ok_or_else(|| {
                format!(
                    "a schema refers to {reference:?}, which is not a named schema of the document"
                )
            })?;
        let plain = name.replace("~1", "/").replace("~0", "~");
        if !self.named.contains_key(&plain) {
            if self.named.len() == DEFINITIONS_MAX {
                return Err(format!("its schemas are more than {DEFINITIONS_MAX}"));
            }
            self.named.insert(plain.clone(), Value::Null);
            self.waiting.push(plain);
        }
        Ok(json!({ "$ref": format!("#/$defs/{name}") }))
    }

    fn each(&mut self, list: &Value, depth: usize) -> Result<Value, String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|schema| self.at_depth(schema, depth + 1))
            .collect()
    }

    fn properties(&mut self, properties: &Value, depth: usize) -> Result<Value, String> {
        let mut converted = Map::new();
        for (name, schema) in properties.as_object().into_iter().flatten() {
            if self.has(schema) {
                converted.insert(name.clone(), self.at_depth(schema, depth + 1)?);
            }
        }
        Ok(Value::Object(converted))
    }

    /// The required properties of an object, without those of the other direction.
    fn required(&self, object: &Map<String, Value>) -> Value {
        let names = object.get("required").and_then(Value::as_array);
        let names = names.into_iter().flatten();
        let names = names.filter(|name| {
            let properties = object.get("properties");
            let schema = name.as_str().and_then(|name| properties?.get(name));
            schema.is_none_or(|schema| self.has(schema))
        });
        names.cloned().collect()
    }

    /// Returns true if a property exists in this direction.
    fn has(&self, schema: &Value) -> bool {
        let other = match self.direction {
            Direction::Sent => "readOnly",
            Direction::Received => "writeOnly",
        };
        schema.get(other) != Some(&Value::Bool(true))
    }
}

/// Converts exclusive bounds of 3.0, which are truth values beside the bound.
fn bounds(schema: &mut Map<String, Value>) {
    for (bound, exclusive) in [
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ] {
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => match schema.remove(bound) {
                Some(value) => drop(schema.insert(exclusive.to_owned(), value)),
                None => drop(schema.remove(exclusive)),
            },
            Some(Value::Bool(false)) => drop(schema.remove(exclusive)),
            Some(_) | None => {}
        }
    }
}

/// Converts `nullable` of 3.0.
fn nullable(mut schema: Map<String, Value>) -> Value {
    let is_plain = !schema.contains_key("enum") && !schema.contains_key("const");
    match schema.get("type") {
        Some(Value::String(kind)) if is_plain => {
            let kinds = json!([kind, "null"]);
            schema.insert("type".to_owned(), kinds);
            Value::Object(schema)
        }
        Some(_) | None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// A description, on one line.
pub(super) fn described(text: &str) -> String {
    summary(text, DESCRIPTION_CHARS)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

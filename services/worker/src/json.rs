//! Reads outputs as strict JSON and writes arguments as canonical JSON.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Deepest nesting of lists and tables in playbooks, outputs and arguments.
pub const DEPTH_MAX: usize = 32;
/// Most bytes of an output that a reference can read.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Largest integer that every reader of RFC 8785 JSON sees the same: 2^53 - 1.
pub(crate) const INTEGER_MAX: i64 = 9_007_199_254_740_991;

/// Reads one JSON document, bounded in size and depth.
///
/// # Errors
/// What it is instead, as the end of the sentence "the output is …".
pub(crate) fn read(bytes: &[u8]) -> Result<Value, String> {
    if bytes.len() > OUTPUT_BYTES_MAX {
        return Err(too_long(bytes.len()));
    }
    let Strict(value) =
        serde_json::from_slice(bytes).map_err(|error| format!("not JSON ({error})"))?;
    if depth_exceeds(&value, DEPTH_MAX) {
        return Err(format!("JSON that nests deeper than {DEPTH_MAX} levels"));
    }
    Ok(value)
}

/// Reads one output as text.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_text(bytes: &[u8]) -> Result<String, String> {
    if bytes.len() > OUTPUT_BYTES_MAX {
        return Err(too_long(bytes.len()));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => Err(format!("not UTF-8 text at byte {}", error.valid_up_to())),
    }
}

/// Writes `value` as RFC 8785 says.
///
/// # Errors
/// Why it has no canonical form, as the end of the sentence "the value is …".
pub(crate) fn canonical(value: &Value) -> Result<Vec<u8>, String> {
    if depth_exceeds(value, DEPTH_MAX) {
        return Err(format!("nested deeper than {DEPTH_MAX} levels"));
    }
    if let Some(number) = inexact(value) {
        return Err(format!("an integer beyond 2^53 - 1 ({number})"));
    }
    serde_json_canonicalizer::to_vec(value).map_err(|error| format!("not canonical ({error})"))
}

/// What kind of value it is, with an article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn too_long(len: usize) -> String {
    format!("longer than {OUTPUT_BYTES_MAX} bytes ({len})")
}

fn depth_exceeds(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(list) => levels == 0 || list.iter().any(|v| depth_exceeds(v, levels - 1)),
        Value::Object(map) => levels == 0 || map.values().any(|v| depth_exceeds(v, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn inexact(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(number) => {
            let exact = number.is_f64()
                || number
                    .as_i64()
                    .is_some_and(|i| (-INTEGER_MAX..=INTEGER_MAX).contains(&i));
            (!exact).then_some(number)
        }
        Value::Array(list) => list.iter().find_map(inexact),
        Value::Object(map) => map.values().find_map(inexact),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// JSON in which no object has the same key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = from.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = from.next_entry::<String, _>()? {
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("an object has the same key twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

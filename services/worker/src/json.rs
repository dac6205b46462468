//! Outputs as strict JSON or text, arguments as canonical JSON, and the reasons that a failed step gives.

use bus_schema::json::{self, Error, INTEGER_MAX};
use serde_json::{Number, Value};

pub use bus_schema::json::DEPTH_MAX;

/// Most bytes of an output that a reference can read.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Reads an output as strict JSON, bounded in size and depth.
///
/// # Errors
/// The end of the sentence "the output is …".
pub(crate) fn read(bytes: &[u8]) -> Result<Value, String> {
    json::parse_wide(bytes, OUTPUT_BYTES_MAX).map_err(|error| match error {
        Error::TooLong { bytes, .. } => too_long(bytes),
        Error::Malformed {
            line,
            column,
            problem,
        } => format!("not strict JSON ({problem} at line {line} column {column})"),
        error @ Error::NotCanonical { .. } => error.to_string(),
    })
}

/// Reads an output as text.
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

/// Writes the canonical form of a value.
///
/// # Errors
/// The end of the sentence "the value is …", if readers would disagree about it.
pub(crate) fn canonical(value: &Value) -> Result<Vec<u8>, String> {
    if let Some(number) = inexact(value) {
        return Err(format!("an integer beyond ±{INTEGER_MAX} ({number})"));
    }
    let bytes = json::canonical(value);
    match json::parse_wide(&bytes, usize::MAX) {
        Ok(_) => Ok(bytes),
        Err(Error::Malformed { problem, .. }) => Err(problem),
        Err(error @ (Error::TooLong { .. } | Error::NotCanonical { .. })) => Err(error.to_string()),
    }
}

/// The first integer that the canonical form would round.
fn inexact(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(number) => {
            let within = -INTEGER_MAX..=INTEGER_MAX;
            let exact = number.is_f64() || number.as_i64().is_some_and(|i| within.contains(&i));
            (!exact).then_some(number)
        }
        Value::Array(list) => list.iter().find_map(inexact),
        Value::Object(map) => map.values().find_map(inexact),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// Returns the name of the value's type, with an article.
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

/// Returns the text of a value inside a longer text.
pub(crate) fn as_text(value: &Value) -> Result<String, String> {
    match value {
        Value::Array(list) => {
            let lines = list
                .iter()
                .map(scalar_text)
                .collect::<Result<Vec<_>, _>>()?;
            Ok(lines.join("\n"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            scalar_text(value)
        }
    }
}

fn scalar_text(value: &Value) -> Result<String, String> {
    if let Value::String(text) = value {
        return Ok(text.clone());
    }
    let bytes = canonical(value)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns a lower bound of the bytes that a value takes in arguments.
pub(crate) fn least_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(least_bytes).sum(),
        Value::Object(map) => map.iter().map(|(k, v)| k.len() + least_bytes(v)).sum(),
    }
}

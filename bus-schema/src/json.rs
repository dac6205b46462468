//! Strict JSON: parses it so that every reader of the same bytes sees the same value, and writes the canonical form of
//! RFC 8785.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of arrays and objects.
pub const DEPTH_MAX: usize = 32;
/// Largest magnitude of an integer: RFC 8785 writes numbers as doubles, so beyond this two
/// different integers would share one canonical form and one digest.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Most characters of a key in an error.
const KEY_SHOWN_CHARS: usize = 60;

/// The reason why a text is refused as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is longer than its bound.
    #[error("the JSON text has {bytes} bytes; shorten it to at most {bytes_max}")]
    TooLong {
        /// Length of the text.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The text is not JSON, or JSON that two readers could read differently.
    #[error(
        "the JSON text cannot be read at line {line}, column {column}: {problem}; correct it there"
    )]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 at the start of a line.
        column: usize,
        /// The problem.
        problem: String,
    },
    /// The text differs from the canonical form of its value.
    #[error(
        "the JSON text is not its own canonical form (RFC 8785) from byte {at} on; write that form"
    )]
    NotCanonical {
        /// The first byte that differs, from 0.
        at: usize,
    },
}

/// Parses one JSON text of at most `bytes_max` bytes.
///
/// Refused beyond plain JSON: duplicate keys, nesting deeper than [`DEPTH_MAX`], integers beyond
/// ±[`INTEGER_MAX`] however they are written, numbers that no finite double holds, lone
/// surrogates, and U+0000. A whole number written with a fraction or exponent (`1.0`, `1e2`,
/// `-0`) becomes the integer that its canonical form shows.
///
/// # Errors
/// The first problem, with its place.
pub fn parse(bytes: &[u8], bytes_max: usize) -> Result<Value, Error> {
    read(bytes, bytes_max, false)
}

/// Parses the arguments of a call: as [`parse`], and the text must be the canonical form of its value, so that one
/// value has one text, and a person who reads it sees all of it.
///
/// # Errors
/// As [`parse`]; [`Error::NotCanonical`] for another form.
pub fn parse_canonical(bytes: &[u8], bytes_max: usize) -> Result<Value, Error> {
    let value = parse(bytes, bytes_max)?;
    let form = canonical(&value);
    if form == bytes {
        return Ok(value);
    }
    let same = form.iter().zip(bytes).take_while(|(a, b)| a == b);
    Err(Error::NotCanonical { at: same.count() })
}

/// Parses the result of a tool: as [`parse`], but integers may have up to 64 bits; larger ones are read as the nearest
/// double.
///
/// # Errors
/// As [`parse`].
pub fn parse_wide(bytes: &[u8], bytes_max: usize) -> Result<Value, Error> {
    read(bytes, bytes_max, true)
}

/// Longest result of a tool that is read, in bytes.
pub const RESULT_BYTES_MAX: usize = 1 << 20;

/// Reads the result of a tool: strict JSON, or else a text. Returns nothing for JSON that two readers could read
/// differently, and for a result longer than [`RESULT_BYTES_MAX`], because neither is evidence.
pub fn result(bytes: &[u8]) -> Option<Value> {
    match parse_wide(bytes, RESULT_BYTES_MAX) {
        Ok(value) => Some(value),
        Err(Error::TooLong { .. } | Error::NotCanonical { .. }) => None,
        Err(Error::Malformed { .. }) if is_json(bytes) => None,
        Err(Error::Malformed { .. }) => std::str::from_utf8(bytes).ok().map(Value::from),
    }
}

/// Returns true if some reader accepts these bytes as JSON.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<de::IgnoredAny>(bytes).is_ok()
}

fn read(bytes: &[u8], bytes_max: usize, wide: bool) -> Result<Value, Error> {
    if bytes.len() > bytes_max {
        return Err(Error::TooLong {
            bytes: bytes.len(),
            bytes_max,
        });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0, wide }.deserialize(&mut reader);
    value
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| malformed(&error))
}

/// Writes the canonical form of RFC 8785; the same bytes for every text of the same value that
/// [`parse`] accepts.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect(
        "a JSON value has only string keys and finite numbers, and a vector takes any bytes",
    )
}

fn malformed(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let full = error.to_string();
    let place = format!(" at line {line} column {column}");
    Error::Malformed {
        line,
        column,
        problem: full.strip_suffix(&place).unwrap_or(&full).to_owned(),
    }
}

/// Reads one value inside `depth` arrays and objects.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
    wide: bool,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if !self.wide && value.unsigned_abs() > INTEGER_MAX.unsigned_abs() {
            return Err(too_large());
        }
        Ok(Value::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) if self.wide => Ok(Value::from(value)),
            Err(_) => Err(too_large()),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 {
            // Exact: a double is a whole number beyond 2^53 or an integer that fits.
            let text = format!("{value:.0}");
            match text.parse::<i64>() {
                Ok(whole) => return self.visit_i64(whole),
                Err(_) if self.wide => {}
                Err(_) => return Err(too_large()),
            }
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        without_nul(&value)?;
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            without_nul(&key)?;
            if map.contains_key(&key) {
                let shown: String = key.chars().take(KEY_SHOWN_CHARS).collect();
                return Err(de::Error::custom(format_args!("duplicate key {shown:?}")));
            }
            let value = entries.next_value_seed(inner)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

fn too_large<E: de::Error>() -> E {
    E::custom(format_args!("an integer beyond ±{INTEGER_MAX}"))
}

fn without_nul<E: de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') {
        return Err(E::custom("the character U+0000 in a string"));
    }
    Ok(())
}

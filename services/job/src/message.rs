//! The body of a message, as far as a job takes it: nobody's word, so each value that it may use is bounded here or by a slot of
//! the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, slice,
};

use bus_schema::{Digest, batch_key, json, wire};
use serde::Deserialize as _;
use serde_bytes::{ByteBuf, Bytes};
use serde_json::Value;

/// Most bytes of a body that is read.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Most conditions, and most mapped slots.
pub const FIELDS_MAX: usize = 32;
/// Most characters of a value that is mapped, or that is a key.
pub const VALUE_CHARS_MAX: usize = 1_000;
/// Most levels of a body in MessagePack; JSON has a bound of its own.
const DEPTH_MAX: usize = 64;
/// Most messages of one run.
pub const BATCH_MAX: u8 = 50;
/// Most bytes of the messages of one run: 256 KiB.
pub const BATCH_BYTES_MAX: usize = 256 << 10;
/// Longest time for which a job waits for further messages: one hour.
pub const DEBOUNCE_MS_MAX: u64 = 3_600_000;
/// Longest time over which runs are counted: one day.
pub const RATE_MS_MAX: u64 = 86_400_000;
/// Most runs in that time.
pub const RATE_RUNS_MAX: u16 = 1_000;

/// The treatment of messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Messages {
    /// The field whose value makes a message: messages with an equal one are one run.
    pub key: Option<String>,
    /// The conditions on fields: a message that breaks one starts nothing.
    pub only: BTreeMap<String, FieldBound>,
    /// The slots of the contract that fields fill, each with its field.
    pub slots: BTreeMap<String, String>,
    /// The time without a further message after which the last one starts a run, in milliseconds.
    pub debounce_ms: Option<u64>,
    /// The messages that one run takes together; none for one message each.
    pub batch: Option<Batch>,
    /// The most runs in a time.
    pub rate: Option<Rate>,
}

/// The messages that one run takes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The most messages.
    pub messages: u8,
    /// The longest time for which the first one waits for the others, in milliseconds.
    pub wait_ms: u64,
}

/// The most runs in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of runs.
    pub runs: u16,
    /// The time, in milliseconds.
    pub per_ms: u64,
}

/// A condition on the value of a field, in the words of the contract language.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldBound {
    /// One of these values.
    Is(Vec<Value>),
    /// A text that begins with this.
    Prefix(String),
    /// A text that ends with this.
    Suffix(String),
    /// A number in the range, both ends included.
    Range {
        /// The smallest.
        min: Option<f64>,
        /// The largest.
        max: Option<f64>,
    },
    /// True: any value but null; false: none, or null.
    Present(bool),
}

/// The reason for which a message starts no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// A condition says so.
    Other,
    /// It has not the shape that the job needs.
    Shape,
}

impl FieldBound {
    /// Returns true if a value meets the condition; `None` is a value that is not there.
    #[must_use]
    pub fn takes(&self, value: Option<&Value>) -> bool {
        let value = value.filter(|value| !value.is_null());
        let text = value.and_then(Value::as_str);
        match self {
            Self::Is(values) => value.is_some_and(|value| values.contains(value)),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::Range { min, max } => value.and_then(Value::as_f64).is_some_and(|number| {
                min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
            }),
            Self::Present(present) => value.is_some() == *present,
        }
    }
}

impl Messages {
    /// Returns true if the job reads the body.
    #[must_use]
    pub fn read_body(&self) -> bool {
        self.key.is_some() || !self.only.is_empty() || !self.slots.is_empty()
    }

    /// Returns true if policy has to read what started a run, to judge it.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.batch.is_some() || self.read_body()
    }

    /// Returns the most bytes of what starts a run, as far as policy reads it.
    #[must_use]
    pub const fn bytes_max(&self) -> usize {
        match self.batch {
            // Each body has a head of at most five bytes, and the list one.
            Some(_) => BATCH_BYTES_MAX + 5 * (BATCH_MAX as usize + 1),
            None => BODY_BYTES_MAX,
        }
    }

    /// Returns the texts that the message, or the messages, of a run have for slots of the contract. `said` is the key of the
    /// run, and the keys of its messages if it takes several; none for a run that is tried again.
    ///
    /// # Errors
    /// The reason for which the job takes no such run.
    pub fn of_run(
        &self,
        subject: &str,
        said: Option<(Digest, &[Digest])>,
        stored: &[u8],
    ) -> Result<BTreeMap<String, String>, NotTaken> {
        let bodies = match self.batch {
            None => vec![ByteBuf::from(stored)],
            Some(batch) => unpacked(stored, batch).ok_or(NotTaken::Shape)?,
        };
        let taken = bodies.iter().map(|body| self.take(body));
        let taken: Vec<_> = taken.collect::<Result<_, _>>()?;
        if let Some((key, messages)) = said {
            let keys = match self.batch {
                None if messages.is_empty() => slice::from_ref(&key),
                Some(_) if batch_key(messages) == key => messages,
                None | Some(_) => return Err(NotTaken::Shape),
            };
            let mut each = keys.iter().zip(&taken);
            let is_own = each.all(|(key, taken)| {
                let own = self.key_of(subject, taken);
                own.is_none_or(|own| own == *key)
            });
            let distinct: BTreeSet<_> = keys.iter().collect();
            if !is_own || keys.len() != taken.len() || distinct.len() != keys.len() {
                return Err(NotTaken::Shape);
            }
        }
        let mut slots = taken.iter().map(|taken| self.slots_of(taken));
        let first = slots.next().unwrap_or_default();
        if slots.all(|other| other == first) {
            Ok(first)
        } else {
            Err(NotTaken::Shape)
        }
    }

    /// Returns the object in a body that the job takes: JSON, a CloudEvent in JSON, or MessagePack. A job that reads no body
    /// takes every one.
    ///
    /// # Errors
    /// The reason for which it takes none.
    pub fn take(&self, body: &[u8]) -> Result<Value, NotTaken> {
        if !self.read_body() {
            return Ok(Value::Null);
        }
        let value = read(body).ok_or(NotTaken::Shape)?;
        let mut bounds = self.only.iter();
        if !bounds.all(|(field, bound)| bound.takes(lookup(&value, field))) {
            return Err(NotTaken::Other);
        }
        let mut needed = self.key.iter().chain(self.slots.values());
        if needed.all(|field| lookup(&value, field).and_then(text).is_some()) {
            Ok(value)
        } else {
            Err(NotTaken::Shape)
        }
    }

    /// Returns the key of a taken message, by its field; none if its sender's id is its key.
    #[must_use]
    pub fn key_of(&self, subject: &str, taken: &Value) -> Option<Digest> {
        let field = self.key.as_ref()?;
        let value = lookup(taken, field).and_then(text)?;
        Some(Digest::of(&[
            b"field ",
            subject.as_bytes(),
            b" ",
            field.as_bytes(),
            b" ",
            value.as_bytes(),
        ]))
    }

    /// Returns the texts that a taken message has for slots of the contract.
    #[must_use]
    pub fn slots_of(&self, taken: &Value) -> BTreeMap<String, String> {
        let slots = self.slots.iter();
        let filled = slots.filter_map(|(slot, field)| {
            let value = lookup(taken, field).and_then(text)?;
            Some((slot.clone(), value))
        });
        filled.collect()
    }
}

/// Returns the bodies of several messages as they are stored for one run: a list in MessagePack, each body in its own bytes.
#[must_use]
pub fn batch_of(bodies: &[&[u8]]) -> Vec<u8> {
    let bodies: Vec<_> = bodies.iter().map(|body| Bytes::new(body)).collect();
    wire::encode(&bodies)
}

/// Returns the bodies of such a list.
fn unpacked(stored: &[u8], batch: Batch) -> Option<Vec<ByteBuf>> {
    let mut rest = stored;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    let bodies = Vec::<ByteBuf>::deserialize(&mut reader).ok()?;
    drop(reader);
    let is_of_size = (1..=usize::from(batch.messages)).contains(&bodies.len());
    (rest.is_empty() && is_of_size).then_some(bodies)
}

/// Reads a body as an object.
fn read(body: &[u8]) -> Option<Value> {
    let value = match json::parse(body, BODY_BYTES_MAX) {
        Ok(value) => value,
        Err(_) if body.len() <= BODY_BYTES_MAX => packed(body)?,
        Err(_) => return None,
    };
    value.is_object().then_some(value)
}

/// Reads MessagePack, to its last byte.
fn packed(body: &[u8]) -> Option<Value> {
    let mut rest = body;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    reader.set_max_depth(DEPTH_MAX);
    let value = Value::deserialize(&mut reader).ok()?;
    drop(reader);
    rest.is_empty().then_some(value)
}

/// Returns the value at a path of names with dots.
fn lookup<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    field
        .split('.')
        .try_fold(value, |value, name| value.as_object()?.get(name))
}

/// Returns a text or a number as text.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (text.chars().count() <= VALUE_CHARS_MAX).then_some(text)
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "a condition of the job leaves it out",
            Self::Shape => "its body is no object, or lacks a field that the job needs",
        })
    }
}

//! `length`: a text or list with a length in a range.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, entries};
use super::matching::{CallContext, Match};
use crate::dead::possible::Possible;
use crate::parse::source::{Node, Source};
use bus_schema::json::INTEGER_MAX;

/// The number of characters of a text, or of items of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Length {
    /// The minimum.
    pub min: Option<u64>,
    /// The maximum.
    pub max: Option<u64>,
}

impl Length {
    /// Exactly this length.
    pub(crate) const fn exactly(length: u64) -> Self {
        Self {
            min: Some(length),
            max: Some(length),
        }
    }

    /// Counts the characters of a text or the items of a list.
    pub(crate) fn of(value: &Value) -> Option<u64> {
        let text = value.as_str().map(|text| text.chars().count());
        let length = text.or_else(|| value.as_array().map(Vec::len))?;
        u64::try_from(length).ok()
    }
}

impl Kind for Length {
    const KEYS: &'static [&'static str] = &["length"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("length", |reader, node| read(reader.source, node))
    }

    fn types(&self) -> &'static [&'static str] {
        &["string", "array"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        Match::told(Self::of(value).map(|length| {
            self.min.is_none_or(|min| length >= min) && self.max.is_none_or(|max| length <= max)
        }))
    }

    fn limits_length(&self) -> bool {
        self.max.is_some()
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.types(self.types());
        possible.length(self.min.unwrap_or(0), self.max.unwrap_or(u64::MAX));
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, unit: Unit) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => format!("is exactly {} long", unit.word(max)),
            (Some(min), Some(max)) => format!("is from {min} to {} long", unit.word(max)),
            (Some(min), None) => format!("is at least {} long", unit.word(min)),
            (None, Some(max)) => format!("is at most {} long", unit.word(max)),
            (None, None) => "has a length".to_owned(),
        }
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        self.max == Some(0)
    }

    fn widen(&self, value: &Value, _context: &CallContext<'_>) -> Option<Self> {
        let length = Self::of(value)?;
        Some(Self {
            min: self.min.map(|min| min.min(length)),
            max: self.max.map(|max| max.max(length)),
        })
    }
}

fn read<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Length> {
    let of = source.table(node, "`length`", &["min", "max"])?;
    let mut end = |key: &str| match of.table.get(key) {
        Some(node) => {
            let value = source.integer(node, &format!("`{key}`"), 0..=INTEGER_MAX);
            value.map(|value| u64::try_from(value).ok())
        }
        None => Some(None),
    };
    let (min, max) = (end("min"), end("max"));
    let (min, max) = (min?, max?);
    let (problem, fix) = match (min, max) {
        (None, None) => (
            "`length` says nothing".to_owned(),
            "write `min`, `max` or both",
        ),
        (Some(min), Some(max)) if min > max => (
            format!("`min` {min} is greater than `max` {max}, so nothing is within"),
            "exchange them",
        ),
        (Some(_), _) | (_, Some(_)) => return Some(Length { min, max }),
    };
    source.report(node.span(), problem, fix);
    None
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = entries(["min", "max"], [self.min.as_ref(), self.max.as_ref()]);
        write!(f, "length = {{ {inner} }}")
    }
}

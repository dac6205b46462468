//! `min`, `max`: a number in a range, both ends included.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, entries};
use super::matching::{CallContext, Match};
use super::number::{self, Number};
use crate::dead::possible::Possible;
use crate::parse::source::Node;

/// A number from `min` to `max`; at least one is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// The minimum.
    pub min: Option<Number>,
    /// The maximum.
    pub max: Option<Number>,
}

impl Kind for Range {
    const KEYS: &'static [&'static str] = &["min", "max"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let (min, max) = (reader.node("min"), reader.node("max"));
        let mut end = |node: Option<&Node<'_>>, what: &str| match node {
            Some(node) => {
                let value = number::read(reader.source, node, what);
                value.map(|value| Some((value, node.span())))
            }
            None => Some(None),
        };
        let (min, max) = (end(min, "`min`"), end(max, "`max`"));
        let (min, max) = (min?, max?);
        if let (Some((min, span)), Some((max, _))) = (&min, &max)
            && min > max
        {
            let problem = format!("`min` {min} is greater than `max` {max}, so nothing is within");
            reader.source.report(span.clone(), problem, "exchange them");
            return None;
        }
        let (min, max) = (min.map(|(min, _)| min), max.map(|(max, _)| max));
        let is_there = min.is_some() || max.is_some();
        Some(is_there.then_some(Self { min, max }).into_iter().collect())
    }

    fn types(&self) -> &'static [&'static str] {
        &["integer", "number"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        let number = value.as_number().and_then(Number::of);
        Match::told(number.map(|number| {
            self.min.is_none_or(|min| number.compare(min).is_ge())
                && self.max.is_none_or(|max| number.compare(max).is_le())
        }))
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.types(self.types());
        possible.number(self.min.map(Number::double), self.max.map(Number::double));
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("is from {min} to {max}"),
            (Some(min), None) => format!("is at least {min}"),
            (None, Some(max)) => format!("is at most {max}"),
            (None, None) => "is a number".to_owned(),
        }
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        self.min.is_some() && self.min == self.max
    }

    fn widen(&self, value: &Value, _context: &CallContext<'_>) -> Option<Self> {
        let value = Number::of(value.as_number()?)?;
        let lower = |min: Number| if min > value { value } else { min };
        let higher = |max: Number| if max < value { value } else { max };
        Some(Self {
            min: self.min.map(lower),
            max: self.max.map(higher),
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&entries(
            ["min", "max"],
            [self.min.as_ref(), self.max.as_ref()],
        ))
    }
}

//! `same_as`, `differs_from`, `at_most`, `at_least`: a comparison with another argument.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, VALUE_CHARS_MAX};
use super::matching::{CallContext, Match, lookup};
use super::number::Number;
use crate::toml_text::quoted;
use crate::when::When;

/// The relation between a value and another argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same value.
    SameAs,
    /// Another value of the same kind.
    DiffersFrom,
    /// A number or date that is equal, smaller or earlier.
    AtMost,
    /// A number or date that is equal, greater or later.
    AtLeast,
}

impl Relation {
    /// All relations.
    const ALL: [Self; 4] = [Self::SameAs, Self::DiffersFrom, Self::AtMost, Self::AtLeast];

    /// The key in the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::SameAs => "same_as",
            Self::DiffersFrom => "differs_from",
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
        }
    }

    fn judge(self, value: &Value, other: &Value) -> Match {
        if std::mem::discriminant(value) != std::mem::discriminant(other) {
            return Match::Unknown;
        }
        let order = || match (value, other) {
            (Value::Number(value), Value::Number(other)) => {
                Some(Number::of(value)?.compare(Number::of(other)?))
            }
            (Value::String(value), Value::String(other)) => {
                When::new(value)?.compare(When::new(other)?)
            }
            (
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_),
                _,
            ) => None,
        };
        match self {
            Self::SameAs => Match::of(value == other),
            Self::DiffersFrom => Match::of(value != other),
            Self::AtMost => Match::told(order().map(Ordering::is_le)),
            Self::AtLeast => Match::told(order().map(Ordering::is_ge)),
        }
    }
}

/// A value in a relation to another argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The relation.
    pub relation: Relation,
    /// The other argument.
    pub other: String,
}

impl Kind for Compared {
    const KEYS: &'static [&'static str] = &["same_as", "differs_from", "at_most", "at_least"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let mut found = Vec::new();
        for relation in Relation::ALL {
            let word = relation.word();
            found.extend(reader.one(word, |reader, node| {
                let what = format!("`{word}`");
                let other = reader.source.text(node, &what, VALUE_CHARS_MAX)?;
                reader.about.check(reader.source, node.span(), &other)?;
                Some(Self { relation, other })
            })?);
        }
        Some(found)
    }

    fn types(&self) -> &'static [&'static str] {
        match self.relation {
            Relation::AtMost | Relation::AtLeast => &["string", "integer", "number"],
            Relation::SameAs | Relation::DiffersFrom => &[],
        }
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let other = lookup(context.args, &self.other);
        other.map_or(Match::Unknown, |other| self.relation.judge(value, other))
    }

    fn say(&self, _unit: Unit) -> String {
        let other = &self.other;
        match self.relation {
            Relation::SameAs => format!("is the same as `{other}`"),
            Relation::DiffersFrom => format!("is another than `{other}`"),
            Relation::AtMost => format!("is not greater or later than `{other}`"),
            Relation::AtLeast => format!("is not less or earlier than `{other}`"),
        }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.relation.word(), quoted(&self.other))
    }
}

//! Judges one argument of a call against what a rule says about it.
//!
//! A judgement has three outcomes because a bound cannot say anything about a value that is
//! missing or of another kind: such a value is `Unknown`, which never permits and always
//! restricts.

pub(crate) mod date;
pub(crate) mod determined;
pub(crate) mod email;
pub(crate) mod host;
pub(crate) mod matching;
pub(crate) mod number;
pub(crate) mod print;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use date::{End, When};
pub use email::{Address, EmailBound};
pub use host::{HostPattern, UrlBound, UrlPath};
pub use matching::Judgement;
pub(crate) use matching::{Around, is_ambiguous, lookup};
pub use number::Number;

use crate::glob::{PathGlob, TextGlob};
use crate::origin::Origin;

/// One value that a contract can name.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text, compared code point by code point.
    Text(String),
}

impl Scalar {
    /// The scalar of a JSON value; `None` for null, lists and objects.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::String(value) => Some(Self::Text(value.clone())),
            Value::Number(value) => Number::of(value).map(Self::Number),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The JSON Schema types that such a value may have.
    pub(crate) fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Bool(_) => &["boolean"],
            Self::Number(Number::Integer(_)) => &["integer", "number"],
            Self::Number(Number::Decimal(_)) => &["number"],
            Self::Text(_) => &["string"],
        }
    }

    fn judge(&self, value: &Value) -> Judgement {
        match (self, value) {
            (Self::Bool(own), Value::Bool(other)) => Judgement::of(own == other),
            (Self::Text(own), Value::String(other)) => Judgement::of(own == other),
            (Self::Number(own), Value::Number(other)) => {
                Judgement::told(Number::of(other).map(|other| *own == other))
            }
            (Self::Bool(_) | Self::Text(_) | Self::Number(_), _) => Judgement::Unknown,
        }
    }
}

/// What a rule says about one argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// The value is one of these; never empty.
    OneOf(Vec<Scalar>),
    /// The value passes all of these; never empty.
    All(Vec<Operator>),
}

/// One test of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// Whether the argument is there and not null; always tells.
    Present(bool),
    /// An argument that is absent or null is within, whatever else the bound says.
    Optional,
    /// A number from `min` to `max`, both included; at least one is given.
    Range {
        /// The least.
        min: Option<Number>,
        /// The greatest.
        max: Option<Number>,
    },
    /// A relative path that the pattern takes in.
    Path(PathGlob),
    /// A text with so many characters, or a list with so many items.
    Length {
        /// The fewest.
        min: Option<u64>,
        /// The most.
        max: Option<u64>,
    },
    /// A text that starts so.
    Prefix(String),
    /// A text that ends so.
    Suffix(String),
    /// A text that the pattern takes in.
    Like(TextGlob),
    /// A host name that is one of these; never empty.
    Host(Vec<HostPattern>),
    /// Such a URL.
    Url(UrlBound),
    /// Such an e-mail address.
    Email(EmailBound),
    /// A date between two ends, both included; at least one is given.
    Date {
        /// The earliest.
        from: Option<End>,
        /// The latest.
        to: Option<End>,
    },
    /// A value that stands so to another argument.
    Relation(Relation, String),
    /// A value that comes from one of these; never empty.
    From(Vec<Origin>),
    /// An object whose fields of these names are within.
    Fields(BTreeMap<String, Bound>),
    /// A list with at least one item whose items are all within; an empty list is unknown.
    Every(Box<Bound>),
    /// A list with an item that is within.
    Any(Box<Bound>),
    /// A value that the bound describes as outside.
    Not(Box<Bound>),
}

/// How a value stands to another argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same value.
    SameAs,
    /// Another value of the same kind.
    DiffersFrom,
    /// A number or date that is not greater or later.
    AtMost,
    /// A number or date that is not less or earlier.
    AtLeast,
}

impl Relation {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::SameAs, Self::DiffersFrom, Self::AtMost, Self::AtLeast];

    /// The key of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::SameAs => "same_as",
            Self::DiffersFrom => "differs_from",
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
        }
    }

    fn judge(self, value: &Value, other: &Value) -> Judgement {
        if std::mem::discriminant(value) != std::mem::discriminant(other) {
            return Judgement::Unknown;
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
            Self::SameAs => Judgement::of(value == other),
            Self::DiffersFrom => Judgement::of(value != other),
            Self::AtMost => Judgement::told(order().map(Ordering::is_le)),
            Self::AtLeast => Judgement::told(order().map(Ordering::is_ge)),
        }
    }
}

impl Bound {
    /// Judges the argument of this name; unknown if two could be meant.
    pub(crate) fn judge_at(
        &self,
        args: &Map<String, Value>,
        name: &str,
        around: &Around<'_>,
    ) -> Judgement {
        if is_ambiguous(args, name) {
            return Judgement::Unknown;
        }
        self.judge(lookup(args, name), around)
    }

    /// Judges the value of an argument; `None` means that the call does not have it.
    pub(crate) fn judge(&self, value: Option<&Value>, around: &Around<'_>) -> Judgement {
        match self {
            Self::OneOf(set) => value.map_or(Judgement::Unknown, |value| one_of(set, value)),
            Self::All(operators) => {
                let present = value.filter(|value| !value.is_null());
                if present.is_none() && operators.contains(&Operator::Optional) {
                    return Judgement::Within;
                }
                Judgement::every(operators.iter().map(|one| match (one, value) {
                    (Operator::Present(wanted), _) => Judgement::of(*wanted == present.is_some()),
                    (Operator::Not(bound), value) => bound.judge(value, around).opposite(),
                    (one, Some(value)) => one.judge(value, around),
                    (_, None) => Judgement::Unknown,
                }))
            }
        }
    }
}

fn one_of(set: &[Scalar], value: &Value) -> Judgement {
    let mut kin = set.iter().map(|one| one.judge(value));
    // Members of another kind say nothing if one of the value's own kind speaks.
    let spoken = kin.clone().filter(|one| *one != Judgement::Unknown);
    if kin.all(|one| one == Judgement::Unknown) {
        Judgement::Unknown
    } else {
        Judgement::any(spoken)
    }
}

impl Operator {
    /// Judges a value that is there.
    pub(crate) fn judge(&self, value: &Value, around: &Around<'_>) -> Judgement {
        match (self, value) {
            (Self::Present(wanted), value) => Judgement::of(*wanted != value.is_null()),
            (Self::Optional, _) => Judgement::Within,
            (Self::Range { min, max }, Value::Number(number)) => {
                let number = Number::of(number);
                Judgement::told(number.map(|number| {
                    min.is_none_or(|min| number.compare(min).is_ge())
                        && max.is_none_or(|max| number.compare(max).is_le())
                }))
            }
            (Self::Length { min, max }, Value::String(text)) => {
                in_length(text.chars().count(), *min, *max)
            }
            (Self::Length { min, max }, Value::Array(items)) => in_length(items.len(), *min, *max),
            (_, Value::String(text)) if self.is_text() => self.judge_text(text, around),
            (Self::Relation(relation, other), value) => {
                let other = lookup(around.args, other);
                other.map_or(Judgement::Unknown, |other| relation.judge(value, other))
            }
            (Self::From(origins), value) => {
                let record = around.view.record;
                Judgement::any(origins.iter().map(|origin| origin.judge(value, record)))
            }
            (Self::Fields(fields), Value::Object(object)) => Judgement::every(
                fields
                    .iter()
                    .map(|(name, bound)| bound.judge_at(object, name, around)),
            ),
            (Self::Every(bound), Value::Array(items)) if !items.is_empty() => {
                Judgement::every(items.iter().map(|item| bound.judge(Some(item), around)))
            }
            (Self::Any(bound), Value::Array(items)) => {
                Judgement::any(items.iter().map(|item| bound.judge(Some(item), around)))
            }
            (Self::Not(bound), value) => bound.judge(Some(value), around).opposite(),
            (
                Self::Range { .. }
                | Self::Path(_)
                | Self::Length { .. }
                | Self::Prefix(_)
                | Self::Suffix(_)
                | Self::Like(_)
                | Self::Host(_)
                | Self::Url(_)
                | Self::Email(_)
                | Self::Date { .. }
                | Self::Fields(_)
                | Self::Every(_)
                | Self::Any(_),
                _,
            ) => Judgement::Unknown,
        }
    }

    fn is_text(&self) -> bool {
        self.types() == ["string"]
    }

    fn judge_text(&self, text: &str, around: &Around<'_>) -> Judgement {
        match self {
            Self::Path(glob) => Judgement::told(glob.judge(text)),
            Self::Prefix(prefix) => Judgement::of(text.starts_with(prefix.as_str())),
            Self::Suffix(suffix) => Judgement::of(text.ends_with(suffix.as_str())),
            Self::Like(glob) => Judgement::of(glob.matches(text)),
            Self::Host(hosts) => Judgement::told(host::judge(hosts, text)),
            Self::Url(url) => Judgement::told(url.judge(text)),
            Self::Email(email) => Judgement::told(email.judge(text)),
            Self::Date { from, to } => {
                Judgement::told(date::within(text, *from, *to, around.view.now_ms))
            }
            Self::Present(_)
            | Self::Optional
            | Self::Range { .. }
            | Self::Length { .. }
            | Self::Relation(..)
            | Self::From(_)
            | Self::Fields(_)
            | Self::Every(_)
            | Self::Any(_)
            | Self::Not(_) => Judgement::Unknown,
        }
    }

    /// The JSON Schema types that the operator can judge; empty for any.
    pub(crate) fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Range { .. } => &["integer", "number"],
            Self::Path(_)
            | Self::Prefix(_)
            | Self::Suffix(_)
            | Self::Like(_)
            | Self::Host(_)
            | Self::Url(_)
            | Self::Email(_)
            | Self::Date { .. } => &["string"],
            Self::Length { .. } => &["string", "array"],
            Self::Every(_) | Self::Any(_) => &["array"],
            Self::Fields(_) => &["object"],
            Self::From(_) => &["string", "integer", "number", "boolean"],
            Self::Relation(Relation::AtMost | Relation::AtLeast, _) => {
                &["string", "integer", "number"]
            }
            Self::Present(_) | Self::Optional | Self::Relation(..) | Self::Not(_) => &[],
        }
    }
}

fn in_length(length: usize, min: Option<u64>, max: Option<u64>) -> Judgement {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    Judgement::of(min.is_none_or(|min| length >= min) && max.is_none_or(|max| length <= max))
}

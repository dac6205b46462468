//! A single value in a contract, and sets of values.

use std::fmt;

use serde_json::Value;
use toml::de::DeValue;

use super::matching::Match;
use super::number::{self, Number};
use crate::dead::possible::{Possible, Reason};
use crate::parse::source::{Node, Source, VALUE_CHARS_MAX};
use crate::toml_text::quoted;

/// Maximum number of members of a set.
const SET_MAX: usize = 1000;

/// A single value in a contract.
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

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Number(_) => None,
        }
    }

    /// The JSON value.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Bool(value) => Value::from(*value),
            Self::Number(Number::Integer(value)) => Value::from(*value),
            Self::Number(Number::Decimal(value)) => Value::from(*value),
            Self::Text(value) => Value::from(value.as_str()),
        }
    }

    /// The JSON Schema types of such a value.
    pub(crate) fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Bool(_) => &["boolean"],
            Self::Number(Number::Integer(_)) => &["integer", "number"],
            Self::Number(Number::Decimal(_)) => &["number"],
            Self::Text(_) => &["string"],
        }
    }

    /// Matches a value of the call.
    pub(super) fn judge(&self, value: &Value) -> Match {
        match (self, value) {
            (Self::Bool(own), Value::Bool(other)) => Match::of(own == other),
            (Self::Text(own), Value::String(other)) => Match::of(own == other),
            (Self::Number(own), Value::Number(other)) => {
                Match::told(Number::of(other).map(|other| *own == other))
            }
            (Self::Bool(_) | Self::Text(_) | Self::Number(_), _) => Match::Unknown,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => f.write_str(&quoted(value)),
        }
    }
}

/// Matches a value against a set.
pub(super) fn one_of(set: &[Scalar], value: &Value) -> Match {
    let mut kin = set.iter().map(|one| one.judge(value));
    // Members of another kind are ignored if any member has the value's kind.
    let spoken = kin.clone().filter(|one| *one != Match::Unknown);
    if kin.all(|one| one == Match::Unknown) {
        Match::Unknown
    } else {
        Match::any(spoken)
    }
}

/// Keeps these values in what a place can have.
pub(super) fn narrow(set: &[Scalar], possible: &mut Possible<'_>) {
    let types: Vec<&str> = set.iter().flat_map(Scalar::types).copied().collect();
    possible.types(&types);
    if !set.iter().any(|one| possible.takes(&one.value())) {
        let each: Vec<String> = set.iter().take(8).map(Scalar::to_string).collect();
        let problem = format!("the tool never takes {}", each.join(" or "));
        possible.never(Reason::new(problem, possible.offer()));
    }
    possible.keep(|value, _| one_of(set, value));
}

/// Reads one value of an argument.
pub(crate) fn read(source: &mut Source<'_>, node: &Node<'_>) -> Option<Scalar> {
    match node.get_ref() {
        DeValue::String(text) => {
            if text.is_empty() {
                return Some(Scalar::Text(String::new()));
            }
            source
                .text(node, "the value", VALUE_CHARS_MAX)
                .map(Scalar::Text)
        }
        DeValue::Boolean(value) => Some(Scalar::Bool(*value)),
        DeValue::Integer(_) | DeValue::Float(_) => {
            number::read(source, node, "the value").map(Scalar::Number)
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            source.mistyped(node, "the value", "a text, a number, true or false");
            None
        }
    }
}

/// Reads a list of values, each once.
pub(crate) fn read_set<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Vec<Scalar>> {
    let items = source.items(node, "the set")?;
    if items.len() > SET_MAX {
        let problem = format!("the set has more than {SET_MAX} values");
        source.report(node.span(), problem, "use a range or a pattern");
        return None;
    }
    let mut values = Vec::new();
    for item in items {
        let value = read(source, item)?;
        if values.contains(&value) {
            let problem = format!("the set has {value} twice");
            source.report(item.span(), problem, "remove one of them");
            return None;
        }
        values.push(value);
    }
    Some(values)
}

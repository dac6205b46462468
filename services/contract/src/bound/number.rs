//! Exact comparison of integers and decimals by value, as in their canonical form.

use std::cmp::Ordering;
use std::fmt;

use toml::de::DeValue;

use crate::parse::source::{Node, Source};
use bus_schema::json::INTEGER_MAX;

/// A number in a contract or a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer within ±(2^53 − 1).
    Integer(i64),
    /// A finite number that is not whole.
    Decimal(f64),
}

impl Number {
    pub(crate) fn of(number: &serde_json::Number) -> Option<Self> {
        let whole = number.as_i64().map(Self::Integer);
        whole.or_else(|| number.as_f64().map(Self::Decimal))
    }

    /// Converts to a double without rounding: every integer here has an exact double.
    pub(super) fn double(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "integers stay below 2^53")]
            Self::Integer(value) => value as f64,
            Self::Decimal(value) => value,
        }
    }

    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => one.cmp(&other),
            (Self::Integer(_) | Self::Decimal(_), _) => self.double().total_cmp(&other.double()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.compare(*other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Decimal(value) => write!(f, "{value:?}"),
        }
    }
}

/// Reads a number in the same way as an argument, so that 1.0 is the integer 1 on both sides.
pub(super) fn read(source: &mut Source<'_>, node: &Node<'_>, what: &str) -> Option<Number> {
    let DeValue::Float(written) = node.get_ref() else {
        let within = -INTEGER_MAX..=INTEGER_MAX;
        return source.integer(node, what, within).map(Number::Integer);
    };
    let value = written.as_str().parse::<f64>().ok();
    let value = value
        .and_then(serde_json::Number::from_f64)
        .map(|n| n.to_string());
    let value = value.and_then(|text| bus_schema::json::parse(text.as_bytes(), 64).ok());
    let value = value
        .as_ref()
        .and_then(|value| Number::of(value.as_number()?));
    if value.is_none() {
        let fix = "write a finite number within ±(2^53 − 1)";
        source.report(node.span(), "no argument can have this value", fix);
    }
    value
}

//! Compares numbers by value, integers and decimals alike, exactly as their canonical form writes them.

use std::cmp::Ordering;
use std::fmt;

/// A number that a contract or a call writes.
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

    /// Every integer that is judged has an exact double, so nothing is rounded.
    fn double(self) -> f64 {
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

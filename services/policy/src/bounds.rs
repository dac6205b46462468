//! Judges one argument of a call against what a rule says about it.
//!
//! A judgement has three outcomes because a bound cannot say anything about a value that is
//! missing or of another kind: such a value is `Unknown`, which never permits and always
//! restricts.

use std::fmt;

use serde_json::Value;

use crate::glob::PathGlob;

/// What a bound says about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The value is what the bound describes.
    Within,
    /// The value is something else.
    Outside,
    /// The bound cannot tell.
    Unknown,
}

impl Judgement {
    /// Within if all are, outside if any is, otherwise unknown.
    pub(crate) fn every(each: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::Within;
        for one in each {
            match one {
                Self::Outside => return Self::Outside,
                Self::Unknown => whole = Self::Unknown,
                Self::Within => {}
            }
        }
        whole
    }

    /// Within if any is, outside if all are, otherwise unknown.
    fn any(each: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::Outside;
        for one in each {
            match one {
                Self::Within => return Self::Within,
                Self::Unknown => whole = Self::Unknown,
                Self::Outside => {}
            }
        }
        whole
    }

    fn of(within: bool) -> Self {
        if within { Self::Within } else { Self::Outside }
    }
}

/// One value that a contract can name.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// An integer within ±(2^53 − 1).
    Integer(i64),
    /// A finite number that is not whole.
    Decimal(f64),
    /// A text, compared code point by code point.
    Text(String),
}

impl Scalar {
    /// The scalar of a JSON value; `None` for null, lists and objects.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::String(value) => Some(Self::Text(value.clone())),
            Value::Number(value) => value
                .as_i64()
                .map(Self::Integer)
                .or_else(|| value.as_f64().map(Self::Decimal)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The JSON Schema types that such a value may have.
    pub(crate) fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Bool(_) => &["boolean"],
            Self::Integer(_) => &["integer", "number"],
            Self::Decimal(_) => &["number"],
            Self::Text(_) => &["string"],
        }
    }

    fn judge(&self, value: &Value) -> Judgement {
        match (self, value) {
            (Self::Bool(own), Value::Bool(other)) => Judgement::of(own == other),
            (Self::Text(own), Value::String(other)) => Judgement::of(own == other),
            (Self::Integer(own), Value::Number(other)) => {
                Judgement::of(other.as_i64() == Some(*own))
            }
            (Self::Decimal(own), Value::Number(other)) => {
                Judgement::of(other.as_f64() == Some(*own))
            }
            (Self::Bool(_) | Self::Text(_) | Self::Integer(_) | Self::Decimal(_), _) => {
                Judgement::Unknown
            }
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
    /// An integer from `min` to `max`, both included; at least one is given.
    Range {
        /// The least.
        min: Option<i64>,
        /// The greatest.
        max: Option<i64>,
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
    /// A list with at least one item whose items are all within; an empty list is unknown.
    Every(Box<Bound>),
    /// A list with an item that is within.
    Any(Box<Bound>),
}

impl Bound {
    /// Judges the value of an argument; `None` means that the call does not have it.
    #[must_use]
    pub fn judge(&self, value: Option<&Value>) -> Judgement {
        let Some(value) = value else {
            return Judgement::Unknown;
        };
        match self {
            Self::OneOf(set) => {
                let mut kin = set.iter().map(|one| one.judge(value));
                // Members of another kind say nothing if one of the value's own kind speaks.
                let spoken = kin.clone().filter(|one| *one != Judgement::Unknown);
                if kin.all(|one| one == Judgement::Unknown) {
                    Judgement::Unknown
                } else {
                    Judgement::any(spoken)
                }
            }
            Self::All(operators) => Judgement::every(operators.iter().map(|one| one.judge(value))),
        }
    }
}

impl Operator {
    fn judge(&self, value: &Value) -> Judgement {
        match (self, value) {
            (Self::Range { min, max }, Value::Number(number)) => {
                number.as_i64().map_or(Judgement::Unknown, |number| {
                    Judgement::of(
                        min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max),
                    )
                })
            }
            (Self::Path(glob), Value::String(path)) => {
                glob.judge(path).map_or(Judgement::Unknown, Judgement::of)
            }
            (Self::Length { min, max }, Value::String(text)) => {
                in_length(text.chars().count(), *min, *max)
            }
            (Self::Length { min, max }, Value::Array(items)) => in_length(items.len(), *min, *max),
            (Self::Prefix(prefix), Value::String(text)) => {
                Judgement::of(text.starts_with(prefix.as_str()))
            }
            (Self::Suffix(suffix), Value::String(text)) => {
                Judgement::of(text.ends_with(suffix.as_str()))
            }
            (Self::Every(bound), Value::Array(items)) if !items.is_empty() => {
                Judgement::every(items.iter().map(|item| bound.judge(Some(item))))
            }
            (Self::Any(bound), Value::Array(items)) => {
                Judgement::any(items.iter().map(|item| bound.judge(Some(item))))
            }
            (
                Self::Range { .. }
                | Self::Path(_)
                | Self::Length { .. }
                | Self::Prefix(_)
                | Self::Suffix(_)
                | Self::Every(_)
                | Self::Any(_),
                _,
            ) => Judgement::Unknown,
        }
    }

    /// The JSON Schema types that the operator can judge.
    pub(crate) fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Range { .. } => &["integer", "number"],
            Self::Path(_) | Self::Prefix(_) | Self::Suffix(_) => &["string"],
            Self::Length { .. } => &["string", "array"],
            Self::Every(_) | Self::Any(_) => &["array"],
        }
    }
}

fn in_length(length: usize, min: Option<u64>, max: Option<u64>) -> Judgement {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    Judgement::of(min.is_none_or(|min| length >= min) && max.is_none_or(|max| length <= max))
}

/// Writes a text as a TOML basic string on one line.
pub(crate) fn quoted(text: &str) -> String {
    // Every escape of JSON is one of TOML, which further wants U+007F escaped.
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// Writes `min` and `max` as the entries of a TOML inline table.
fn entries<T: fmt::Display>(min: Option<&T>, max: Option<&T>) -> String {
    let min = min.map(|min| format!("min = {min}"));
    let max = max.map(|max| format!("max = {max}"));
    min.into_iter().chain(max).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Decimal(value) => write!(f, "{value:?}"),
            Self::Text(value) => f.write_str(&quoted(value)),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { min, max } => f.write_str(&entries(min.as_ref(), max.as_ref())),
            Self::Path(glob) => write!(f, "path = {}", quoted(glob.as_str())),
            Self::Length { min, max } => {
                write!(f, "length = {{ {} }}", entries(min.as_ref(), max.as_ref()))
            }
            Self::Prefix(text) => write!(f, "prefix = {}", quoted(text)),
            Self::Suffix(text) => write!(f, "suffix = {}", quoted(text)),
            Self::Every(bound) => write!(f, "every = {bound}"),
            Self::Any(bound) => write!(f, "any = {bound}"),
        }
    }
}

/// Writes the bound as the TOML value that is read back as it.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |each: &mut dyn Iterator<Item = String>| each.collect::<Vec<_>>().join(", ");
        match self {
            Self::OneOf(set) => match set.as_slice() {
                [one] => one.fmt(f),
                several => write!(f, "[{}]", list(&mut several.iter().map(Scalar::to_string))),
            },
            Self::All(operators) => {
                let inner = list(&mut operators.iter().map(Operator::to_string));
                write!(f, "{{ {inner} }}")
            }
        }
    }
}

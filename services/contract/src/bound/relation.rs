//! `same_as`, `differs_from`, `at_most`, `at_least`: a comparison with another argument, or with a time after or before
//! it (`plus`, `minus`).

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, VALUE_CHARS_MAX};
use super::matching::{CallContext, Match, lookup};
use super::number::Number;
use crate::dead::possible::{Possible, Reason};
use crate::show::words::duration;
use crate::toml_text::quoted;
use crate::when::{When, span_ms, span_text};

/// Maximum length of a time span, in characters.
const SPAN_CHARS_MAX: usize = 32;
/// The keys that move the other argument, each with its direction.
const SHIFTS: [(&str, i64); 2] = [("plus", 1), ("minus", -1)];

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

    /// Compares two dates, the other one moved by `shift_ms`.
    fn judge_shifted(self, value: &Value, other: &Value, shift_ms: i64) -> Match {
        let when = |value: &Value| When::new(value.as_str()?);
        let order = || when(value)?.compare(when(other)?.shifted(shift_ms)?);
        Match::told(order().map(|order| match self {
            Self::SameAs => order.is_eq(),
            Self::DiffersFrom => order.is_ne(),
            Self::AtMost => order.is_le(),
            Self::AtLeast => order.is_ge(),
        }))
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
    /// The milliseconds from the other argument, a date, to the value that is compared; negative before it.
    pub shift_ms: Option<i64>,
}

impl Compared {
    /// Reads `plus` or `minus`; the outer `None` means that a problem was reported.
    fn shift(reader: &mut Reader<'_, '_, '_>) -> Option<Option<i64>> {
        let given = SHIFTS.iter().filter_map(|(key, sign)| {
            let node = reader.node(key)?;
            Some((*key, *sign, node))
        });
        let mut given = given.collect::<Vec<_>>().into_iter();
        let Some((key, sign, node)) = given.next() else {
            return Some(None);
        };
        let relations = Relation::ALL.iter();
        let relations = relations.filter(|one| reader.node(one.word()).is_some());
        if given.next().is_some() || relations.count() != 1 {
            let problem = format!("`{key}` is about one relation to another argument");
            let fix =
                "write one of `plus` and `minus` beside one of `same_as`, `at_most` and `at_least`";
            reader.source.report(node.span(), problem, fix);
            return None;
        }
        let what = format!("`{key}`");
        let text = reader.source.text(node, &what, SPAN_CHARS_MAX)?;
        let span = span_ms(&text).filter(|ms| *ms > 0 && ms % 1000 == 0);
        if span.is_none() {
            let problem = format!("{text:?} is no time span");
            let fix = "write a span such as \"4h\", \"30m\" or \"2d\"";
            reader.source.report(node.span(), problem, fix);
        }
        span.map(|ms| Some(sign * ms))
    }
}

impl Kind for Compared {
    const KEYS: &'static [&'static str] = &[
        "same_as",
        "differs_from",
        "at_most",
        "at_least",
        "plus",
        "minus",
    ];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let shift_ms = Self::shift(reader)?;
        let mut found = Vec::new();
        for relation in Relation::ALL {
            let word = relation.word();
            found.extend(reader.one(word, |reader, node| {
                let what = format!("`{word}`");
                let other = reader.source.text(node, &what, VALUE_CHARS_MAX)?;
                reader.about.check(reader.source, node.span(), &other)?;
                Some(Self {
                    relation,
                    other,
                    shift_ms,
                })
            })?);
        }
        Some(found)
    }

    fn types(&self) -> &'static [&'static str] {
        if self.shift_ms.is_some() {
            return &["string"];
        }
        match self.relation {
            Relation::AtMost | Relation::AtLeast => &["string", "integer", "number"],
            Relation::SameAs | Relation::DiffersFrom => &[],
        }
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let other = lookup(context.args, &self.other);
        other.map_or(Match::Unknown, |other| match self.shift_ms {
            Some(shift_ms) => self.relation.judge_shifted(value, other, shift_ms),
            None => self.relation.judge(value, other),
        })
    }

    fn same_as(&self) -> Option<&str> {
        (self.relation == Relation::SameAs).then_some(self.other.as_str())
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.types(self.types());
        let (other, _) = possible.around.tool.arguments().place(&self.other);
        let has = possible.has();
        if has.and(other.types()).is_empty() {
            let problem = format!(
                "the value is {}, and `{}` is {}, so they never compare",
                has.words(),
                self.other,
                other.types().words()
            );
            possible.never(Reason::new(problem, "name another argument"));
        }
    }

    fn say(&self, _unit: Unit) -> String {
        let other = &self.other;
        if let Some(shift_ms) = self.shift_ms {
            let far = duration(shift_ms.unsigned_abs());
            let side = if shift_ms < 0 { "before" } else { "after" };
            return match self.relation {
                Relation::SameAs => format!("is {far} {side} `{other}`"),
                Relation::DiffersFrom => format!("is not {far} {side} `{other}`"),
                Relation::AtMost => format!("is at the latest {far} {side} `{other}`"),
                Relation::AtLeast => format!("is at the earliest {far} {side} `{other}`"),
            };
        }
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
        write!(f, "{} = {}", self.relation.word(), quoted(&self.other))?;
        let Some(shift_ms) = self.shift_ms else {
            return Ok(());
        };
        let key = if shift_ms < 0 { "minus" } else { "plus" };
        let span = span_text(shift_ms.unsigned_abs());
        write!(f, ", {key} = {}", quoted(&span))
    }
}

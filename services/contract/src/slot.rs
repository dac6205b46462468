//! The slots that a person fills in when a task is submitted, and the kinds of their values.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus_schema::json;
use diagnostic::is_hidden;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::bound::matching::Match;
use crate::bound::number::Number;
use crate::when::{Civil, When};
use crate::words::mention::{Meaning, Mention};
use crate::words::wanted::Wanted;
use crate::words::{WordKind, Words};

/// Maximum length of one value, in characters.
pub(crate) const SLOT_CHARS_MAX: usize = 4096;
/// Longest number, in bytes.
const NUMBER_BYTES_MAX: usize = 32;
/// The kinds of slots; `any` is called `text`.
pub(crate) const KINDS: [WordKind; 11] = [
    WordKind::Email,
    WordKind::Iban,
    WordKind::Url,
    WordKind::Path,
    WordKind::Date,
    WordKind::Time,
    WordKind::Amount,
    WordKind::Number,
    WordKind::Name,
    WordKind::Word,
    WordKind::Any,
];

/// Slots by name.
pub(crate) type Slots = BTreeMap<String, Arc<Slot>>;

/// A value that a person fills in with each task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The name: lower-case letters, digits and `-`.
    pub name: String,
    /// The kind of value.
    pub(crate) kind: WordKind,
    /// True if a task may leave it empty.
    pub optional: bool,
}

/// The word of a kind of slot in a contract.
pub(crate) fn kind_word(kind: WordKind) -> &'static str {
    if kind == WordKind::Any {
        "text"
    } else {
        kind.word()
    }
}

impl Slot {
    /// The kind in a sentence, with its article: `an e-mail address`.
    #[must_use]
    pub fn said(&self) -> &'static str {
        if self.kind == WordKind::Any {
            "a text"
        } else {
            self.kind.said()
        }
    }

    /// The kind in a sentence, without its article.
    pub(crate) fn bare(&self) -> &'static str {
        let said = self.said();
        said.split_once(' ').map_or(said, |(_, bare)| bare)
    }

    /// The JSON Schema types of an argument that can have its value.
    pub(crate) const fn types(&self) -> &'static [&'static str] {
        match self.kind {
            WordKind::Number => &["integer", "number"],
            WordKind::Amount => &["string", "integer", "number"],
            WordKind::Any
            | WordKind::Email
            | WordKind::Iban
            | WordKind::Url
            | WordKind::Path
            | WordKind::Date
            | WordKind::Time
            | WordKind::Name
            | WordKind::Word
            | WordKind::Quoted => &["string"],
        }
    }

    /// The JSON Schema types of its own value.
    pub(crate) const fn own_types(&self) -> &'static [&'static str] {
        if matches!(self.kind, WordKind::Amount) {
            &["string"]
        } else {
            self.types()
        }
    }

    /// The fewest characters of a text of the kind.
    pub(crate) const fn least_chars(&self) -> u64 {
        match self.kind {
            WordKind::Email | WordKind::Quoted => 3,
            WordKind::Iban => 15,
            WordKind::Url => 4,
            WordKind::Date => 10,
            WordKind::Path | WordKind::Time | WordKind::Amount => 2,
            WordKind::Number | WordKind::Any | WordKind::Name | WordKind::Word => 1,
        }
    }

    /// Reads the value that a person typed; `None` if it has no such form.
    pub(crate) fn typed(&self, text: &str) -> Option<Value> {
        if self.kind == WordKind::Number {
            let value = json::parse(text.trim().as_bytes(), NUMBER_BYTES_MAX).ok()?;
            return value.is_number().then_some(value);
        }
        Some(Value::from(text))
    }

    /// Returns true if the value is of its kind and of bounded length.
    pub(crate) fn takes(&self, value: &Value, zone: &TimeZone) -> bool {
        match value {
            Value::Number(number) => self.kind == WordKind::Number && Number::of(number).is_some(),
            Value::String(text) => {
                let odd = |c: char| is_hidden(c) && c != '\n' && c != '\t';
                let words = fixed(text);
                !text.trim().is_empty()
                    && text.chars().count() <= SLOT_CHARS_MAX
                    && !text.chars().any(odd)
                    && self.mention(&words, zone).is_some()
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// Matches an argument with the value `own` of the slot. An argument of another type is `Unknown`.
    pub(crate) fn judge(&self, own: &Value, value: &Value, zone: &TimeZone) -> Match {
        match (own, value) {
            (Value::Number(own), Value::Number(other)) => Match::of(same(own, other)),
            (Value::String(own), Value::String(_)) => self.judge_text(own, value, zone),
            (Value::String(own), Value::Number(_)) if self.kind == WordKind::Amount => {
                self.judge_text(own, value, zone)
            }
            (
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_),
                _,
            ) => Match::Unknown,
        }
    }

    fn judge_text(&self, own: &str, value: &Value, zone: &TimeZone) -> Match {
        let words = fixed(own);
        let Some(mention) = self.mention(&words, zone) else {
            return Match::Unknown;
        };
        if self.kind == WordKind::Any {
            return Match::of(value.as_str() == Some(own));
        }
        Match::of(Wanted::new(value, zone, false).is(&words, &mention))
    }

    /// Returns the whole text as a value of its kind, by the rules for values in a task text; `None` if it is not one.
    fn mention(&self, words: &Words<'_>, zone: &TimeZone) -> Option<Mention> {
        let text = words.text();
        let whole = 0..text.len();
        match self.kind {
            WordKind::Any => Mention::text(text, whole),
            // A day such as `tomorrow` would be another one each day.
            WordKind::Date => {
                let meaning = match When::civil(text, zone)? {
                    Civil::Day(day) => Meaning::Day(day),
                    Civil::Moment(moment) => Meaning::Moment(moment),
                };
                Some(Mention::new(whole, meaning))
            }
            WordKind::Email
            | WordKind::Iban
            | WordKind::Url
            | WordKind::Path
            | WordKind::Time
            | WordKind::Amount
            | WordKind::Number
            | WordKind::Name
            | WordKind::Word
            | WordKind::Quoted => {
                let mut all = words.mentions(self.kind).into_iter();
                all.find(|one| one.at == whole)
            }
        }
    }
}

/// A value as words; no kind of slot but a date is about a day, and a date has its own form.
fn fixed(text: &str) -> Words<'_> {
    Words::new(text, Date::ZERO)
}

fn same(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    let (one, other) = (Number::of(one), Number::of(other));
    one.is_some() && one == other
}

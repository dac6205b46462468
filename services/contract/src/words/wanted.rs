//! A value of a call, in each reading that a mention of the task text can have.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde_json::{Number, Value};
use unicode_normalization::UnicodeNormalization as _;

use super::address::{IBAN_GROUP, iban, is_path};
use super::mention::{Meaning, Mention};
use super::numbers::plain;
use super::{WordKind, Words};
use crate::address::Address;
use crate::when::{Civil, When};

/// Fewest letters or digits of words that no list or sentence has by chance.
const CHARS_MIN: usize = 3;
/// Maximum length of an amount with its currency, in bytes.
const AMOUNT_BYTES_MAX: usize = 40;

/// A value that is looked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    text: Option<String>,
    number: Option<Number>,
    address: Option<String>,
    iban: Option<String>,
    day: Option<Date>,
    moment: Option<DateTime>,
    clock: Option<Time>,
    ignore_case: bool,
}

impl Wanted {
    /// Reads a text or number; dates with an offset are read in `zone`.
    pub(crate) fn new(value: &Value, zone: &TimeZone, ignore_case: bool) -> Self {
        let text: Option<String> = value.as_str().map(|text| text.nfc().collect());
        let plain = text.as_deref().unwrap_or_default();
        let civil = When::civil(plain, zone);
        let number = value.as_number().cloned().or_else(|| number_of(plain));
        let (day, moment) = match civil {
            Some(Civil::Day(day)) => (Some(day), None),
            Some(Civil::Moment(moment)) => (None, Some(moment)),
            None => (None, None),
        };
        Self {
            number,
            address: Address::new(plain).map(|address| address.to_string()),
            iban: iban(plain).filter(|iban| is_usual(plain, iban)),
            day,
            moment,
            clock: When::clock(plain),
            ignore_case,
            text,
        }
    }

    /// The text, if the value is one.
    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Returns true if the value is a moment, so that a day alone does not name it.
    pub(crate) fn is_moment(&self) -> bool {
        self.moment.is_some()
    }

    /// Returns the kind that the form of the value suggests.
    pub(crate) fn kind(&self) -> WordKind {
        let text = self.text();
        let is = |fits: fn(&str) -> bool| text.is_some_and(fits);
        if self.address.is_some() {
            WordKind::Email
        } else if is(|text| text.contains("://")) {
            WordKind::Url
        } else if self.iban.is_some() {
            WordKind::Iban
        } else if self.day.is_some() || self.moment.is_some() {
            WordKind::Date
        } else if self.clock.is_some() {
            WordKind::Time
        } else if self.number.is_some() {
            WordKind::Number
        } else if is(is_amount) {
            WordKind::Amount
        } else if is(is_path) {
            WordKind::Path
        } else {
            WordKind::Any
        }
    }

    /// Returns true if words of this value stand in a text only if somebody meant them: three characters with a letter,
    /// or three digits.
    pub(crate) fn is_unmistakable(&self) -> bool {
        let text = self.text().unwrap_or_default();
        let letters = text.contains(char::is_alphabetic) && text.chars().count() >= CHARS_MIN;
        letters || text.chars().filter(|c| c.is_numeric()).count() >= CHARS_MIN
    }

    /// Returns true if the mention is this value.
    pub(crate) fn is(&self, words: &Words<'_>, mention: &Mention) -> bool {
        let written = words.text().get(mention.at.clone());
        match &mention.meaning {
            Meaning::Text(text) => self.same(text),
            Meaning::Canonical(text) => {
                let each = [&self.address, &self.iban].into_iter().flatten();
                each.into_iter().any(|own| self.equal(own, text))
            }
            Meaning::Number(number) => {
                self.number.as_ref() == Some(number) || written.is_some_and(|text| self.same(text))
            }
            Meaning::Day(day) => {
                self.day == Some(*day) || written.is_some_and(|text| self.same(text))
            }
            Meaning::Moment(moment) => self.moment == Some(*moment),
            Meaning::Clock(clock) => {
                self.clock == Some(*clock) || written.is_some_and(|text| self.same(text))
            }
        }
    }

    fn same(&self, text: &str) -> bool {
        self.text().is_some_and(|own| self.equal(own, text))
    }

    fn equal(&self, one: &str, other: &str) -> bool {
        one == other || (self.ignore_case && one.to_lowercase() == other.to_lowercase())
    }
}

/// Returns true if a text is this account number without blanks or in groups of four, in capital or small letters.
fn is_usual(text: &str, iban: &str) -> bool {
    let mut grouped = String::new();
    for (place, c) in iban.chars().enumerate() {
        if place > 0 && place % IBAN_GROUP == 0 {
            grouped.push(' ');
        }
        grouped.push(c);
    }
    [iban, &grouped]
        .into_iter()
        .any(|usual| text == usual || text == usual.to_ascii_lowercase())
}

/// Reads a text that is a plain number, without leading zeros.
fn number_of(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let fits = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'');
    let padded = digits.starts_with('0') && digits != "0" && !digits.starts_with("0.");
    if padded || !digits.starts_with(|c: char| c.is_ascii_digit()) || !digits.chars().all(fits) {
        return None;
    }
    let sign = if digits.len() < text.len() { "-" } else { "" };
    super::numbers::parsed(&format!("{sign}{}", plain(digits)?))
}

fn is_amount(text: &str) -> bool {
    text.len() <= AMOUNT_BYTES_MAX
        && text.contains(|c: char| c.is_ascii_digit())
        && super::numbers::amounts(text)
            .iter()
            .any(|amount| amount.at == (0..text.len()))
}

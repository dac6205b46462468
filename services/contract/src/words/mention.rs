//! One value that a text names, with its place.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};
use serde_json::Number;

/// A value that a text names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mention {
    /// The place in the text, in bytes.
    pub(crate) at: Range<usize>,
    /// Another place of the value: the day of a time of day, or the number of an amount.
    pub(crate) also: Option<Range<usize>>,
    pub(crate) meaning: Meaning,
}

/// The value of a mention in one spelling, so that equal values are equal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    /// A text as written, without the quotes around it.
    Text(String),
    /// An address, account number or URL in its one spelling.
    Canonical(String),
    Number(Number),
    Day(Date),
    Moment(DateTime),
    Clock(Time),
}

impl Mention {
    pub(crate) fn new(at: Range<usize>, meaning: Meaning) -> Self {
        Self {
            at,
            also: None,
            meaning,
        }
    }

    /// A text as written at this place; `None` outside of the text.
    pub(crate) fn text(text: &str, at: Range<usize>) -> Option<Self> {
        let meaning = Meaning::Text(text.get(at.clone())?.to_owned());
        Some(Self::new(at, meaning))
    }

    /// The places that the value is read from.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Range<usize>> {
        [&self.at].into_iter().chain(&self.also)
    }
}

//! The values that the owner's words name: each kind with its places, and whether the words negate or only quote them.

mod address;
mod dates;
mod edges;
pub(crate) mod mention;
mod negation;
mod numbers;
mod phrases;
mod quotes;
mod sentences;
mod tokens;
pub(crate) mod wanted;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization as _;

use self::mention::{Meaning, Mention};

/// Maximum length of a passage in a question, in characters.
const PASSAGE_CHARS_MAX: usize = 160;

/// A kind of value that a text can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordKind {
    /// Any whole words, or any whole number.
    Any,
    /// An e-mail address.
    Email,
    /// An account number (IBAN) with valid check digits.
    Iban,
    /// A URL with its scheme.
    Url,
    /// A path or the name of a file.
    Path,
    /// A day, or a moment, in a usual spelling.
    Date,
    /// A time of day.
    Time,
    /// A number beside a currency.
    Amount,
    /// A number.
    Number,
    /// Words that begin with a capital letter.
    Name,
    /// One word, however short.
    Word,
    /// The text between quotation marks.
    Quoted,
}

impl WordKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 12] = [
        Self::Any,
        Self::Email,
        Self::Iban,
        Self::Url,
        Self::Path,
        Self::Date,
        Self::Time,
        Self::Amount,
        Self::Number,
        Self::Name,
        Self::Word,
        Self::Quoted,
    ];

    /// The word in the contract.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Url => "url",
            Self::Path => "path",
            Self::Date => "date",
            Self::Time => "time",
            Self::Amount => "amount",
            Self::Number => "number",
            Self::Name => "name",
            Self::Word => "word",
            Self::Quoted => "quoted",
        }
    }

    /// The kind in a sentence, with its article.
    pub(crate) const fn said(self) -> &'static str {
        match self {
            Self::Any => "words or a number",
            Self::Email => "an e-mail address",
            Self::Iban => "an account number (IBAN)",
            Self::Url => "a URL",
            Self::Path => "a path",
            Self::Date => "a date",
            Self::Time => "a time of day",
            Self::Amount => "an amount of money",
            Self::Number => "a number",
            Self::Name => "a name",
            Self::Word => "one word",
            Self::Quoted => "a quotation",
        }
    }
}

impl fmt::Display for WordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text in composed form (NFC), with the day of the call.
#[derive(Debug)]
pub(crate) struct Words<'t> {
    text: Cow<'t, str>,
    today: Date,
}

impl<'t> Words<'t> {
    /// `today` is the day of the call in the contract's zone.
    pub(crate) fn new(text: &'t str, today: Date) -> Self {
        let text = if text.is_ascii() {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(text.nfc().collect())
        };
        Self { text, today }
    }

    /// The text in composed form.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the values of a kind, in the order of the text. `Any` has none of its own: its values are found by
    /// [`Words::places`].
    pub(crate) fn mentions(&self, kind: WordKind) -> Vec<Mention> {
        let text = self.text();
        match kind {
            WordKind::Any => Vec::new(),
            WordKind::Email => address::emails(text),
            WordKind::Iban => address::ibans(text),
            WordKind::Url => address::urls(text),
            WordKind::Path => address::paths(text),
            WordKind::Date => dates::days(text, self.today),
            WordKind::Time => dates::times(text),
            WordKind::Amount => self.outside_others(numbers::amounts(text)),
            WordKind::Number => self.outside_others(numbers::numbers(text)),
            WordKind::Name => phrases::names(text),
            WordKind::Word => phrases::words(text),
            WordKind::Quoted => quotes::mentions(text),
        }
    }

    /// Returns the moments: each time of day with the nearest day of its sentence.
    pub(crate) fn moments(&self) -> Vec<Mention> {
        dates::moments(self.text(), self.today)
    }

    /// Returns the places where the text has this value as whole words.
    pub(crate) fn places(&self, value: &str, ignore_case: bool) -> Vec<Mention> {
        let places = edges::whole_places(value, self.text(), ignore_case);
        let mention = |at| Mention::new(at, Meaning::Text(value.to_owned()));
        places.into_iter().map(mention).collect()
    }

    /// Returns the places where the text has an alias as whole words, in any case and over line ends.
    pub(crate) fn alias(&self, alias: &str) -> Vec<Mention> {
        let alias: String = alias.nfc().collect();
        let places = edges::alias_places(&alias, self.text()).into_iter();
        let mention = |at| Mention::new(at, Meaning::Text(alias.clone()));
        places.map(mention).collect()
    }

    /// Returns true if the words negate a value, or only quote it.
    pub(crate) fn doubts(&self, mention: &Mention) -> bool {
        let text = self.text();
        let doubtful =
            |at: &Range<usize>| negation::is_negated(text, at) || quotes::only_quotes(text, at);
        mention.places().any(doubtful)
    }

    /// Returns the words around a value, on one line.
    pub(crate) fn passage(&self, mention: &Mention) -> String {
        sentences::passage(self.text(), &mention.at, PASSAGE_CHARS_MAX)
    }

    /// Keeps the values right after one of the words of `after` and right before one of `before`; no words permit any
    /// place. In a list (`to a and b`) all items stand after the word.
    pub(crate) fn beside(
        &self,
        mentions: Vec<Mention>,
        after: &[String],
        before: &[String],
    ) -> Vec<Mention> {
        phrases::beside(self.text(), mentions, after, before)
    }

    /// Removes numbers that are parts of dates, times, account numbers and telephone numbers.
    fn outside_others(&self, mut numbers: Vec<Mention>) -> Vec<Mention> {
        if numbers.is_empty() {
            return numbers;
        }
        let text = self.text();
        let mut others: Vec<Mention> = dates::days(text, self.today);
        others.extend(dates::times(text));
        others.extend(address::ibans(text));
        others.extend(phrases::telephones(text));
        let inside = |one: &Mention| {
            let within =
                |other: &Mention| other.at.start < one.at.end && one.at.start < other.at.end;
            others.iter().any(within)
        };
        numbers.retain(|one| !inside(one));
        numbers
    }
}

//! Reads the values of a TOML table, and notes each problem with its place and its fix.

use std::ops::Range;

use diagnostic::{Diagnostic, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// Largest number of reported problems.
const FOUND_MAX: usize = 50;

/// A text that is read, and the problems that were found in it.
pub(crate) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    pub(crate) found: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
        }
    }

    /// Notes a problem; returns `None` so that callers can return it.
    pub(crate) fn wrong<T>(
        &mut self,
        span: Range<usize>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Option<T> {
        if self.found.len() < FOUND_MAX {
            let found = Diagnostic::at(self.file, self.text, span, problem, fix);
            self.found.push(found);
        }
        None
    }

    /// Notes each key that is not among `known`.
    pub(crate) fn keys(&mut self, table: &DeTable<'_>, known: &[&str], of: &str) {
        for key in table.keys() {
            let name: &str = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let fix = nearest(name, known.iter().copied()).map_or_else(
                || format!("remove it; {of} has {}", known.join(", ")),
                |near| format!("write `{near}`"),
            );
            self.wrong::<()>(key.span(), format!("{of} has no `{name}`"), fix);
        }
    }

    /// Returns the text under a key that must be there.
    pub(crate) fn required<'t>(
        &mut self,
        table: &'t DeTable<'_>,
        place: Range<usize>,
        key: &str,
        fix: &str,
    ) -> Option<(&'t str, Range<usize>)> {
        match table.get(key) {
            Some(value) => self.string(value, key, fix),
            None => self.wrong(place, format!("`{key}` is missing"), fix),
        }
    }

    /// Returns the text of a value.
    pub(crate) fn string<'t>(
        &mut self,
        value: &'t Value<'_>,
        key: &str,
        fix: &str,
    ) -> Option<(&'t str, Range<usize>)> {
        match value.get_ref().as_str() {
            Some(text) => Some((text, value.span())),
            None => self.wrong(value.span(), format!("`{key}` is not a text"), fix),
        }
    }
}

/// Returns an integer that is not negative.
pub(crate) fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

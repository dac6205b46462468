//! Reads typed fields of a TOML document and reports problems with their places.

use std::collections::BTreeSet;
use std::ops::Range;

use diagnostic::{Diagnostic, nearest};
use jiff::SignedDuration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::name::{NAME_BYTES_MAX, is_name};

/// Maximum number of problems that are collected; the report shows fewer.
const FOUND_MAX: usize = 200;

/// Maximum length of `purpose`, `owner` and `reason`, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 500;
/// Maximum length of a text in a bound, in characters.
pub(crate) const VALUE_CHARS_MAX: usize = 4096;
/// Maximum length of a task text, in characters.
pub(crate) const TASK_CHARS_MAX: usize = 64 << 10;
/// Maximum duration in a contract: 30 days.
pub(crate) const DURATION_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;

/// A TOML value with its place.
pub(crate) type Node<'t> = Spanned<DeValue<'t>>;

/// A document and the problems found so far.
pub(crate) struct Source<'t> {
    file: &'t str,
    text: &'t str,
    pub(crate) found: Vec<Diagnostic>,
}

/// A table with its place and display name.
#[derive(Clone)]
pub(crate) struct Table<'t> {
    pub(crate) table: &'t DeTable<'t>,
    pub(crate) span: Range<usize>,
    pub(crate) what: &'static str,
}

impl<'t> Source<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
        }
    }

    /// Reports a problem.
    pub(crate) fn report(
        &mut self,
        span: Range<usize>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        if self.found.len() < FOUND_MAX {
            let one = Diagnostic::at(self.file, self.text, span, problem, fix);
            self.found.push(one);
        }
    }

    /// Reports an error of the TOML parser.
    pub(crate) fn report_toml(&mut self, error: &toml::de::Error) {
        let twice = error.message().contains("duplicate key");
        let at = error.span().and_then(|span| self.text.get(span.start..));
        let fix = if twice {
            "remove one of the two"
        } else if at.is_some_and(|rest| rest.starts_with('<')) {
            "write the value that you mean instead of `<…>`"
        } else {
            "correct the TOML at this place"
        };
        if self.found.len() < FOUND_MAX {
            let one = Diagnostic::from_toml(self.file, self.text, error, fix);
            self.found.push(one);
        }
    }

    /// Reads a table with only the keys `known`.
    pub(crate) fn table(
        &mut self,
        node: &'t Node<'t>,
        what: &'static str,
        known: &[&str],
    ) -> Option<Table<'t>> {
        let Some(table) = node.get_ref().as_table() else {
            self.mistyped(node, what, "a table");
            return None;
        };
        self.known(table, what, known);
        Some(Table {
            table,
            span: node.span(),
            what,
        })
    }

    /// Reports every key that is not in `known`.
    pub(crate) fn known(&mut self, table: &DeTable<'_>, what: &str, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let unused = known
                .iter()
                .copied()
                .filter(|one| !table.contains_key(*one));
            let fix = nearest(name, unused).map_or_else(
                || format!("use one of: {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.report(key.span(), format!("{what} has no key `{name}`"), fix);
        }
    }

    /// Returns a required field.
    pub(crate) fn required(&mut self, of: &Table<'t>, key: &str) -> Option<&'t Node<'t>> {
        let node = of.table.get(key);
        if node.is_none() {
            self.report(
                of.span.clone(),
                format!("{} lacks `{key}`", of.what),
                format!("add `{key} = …`"),
            );
        }
        node
    }

    /// Reads a text of 1 to `chars_max` characters without control characters.
    pub(crate) fn text(&mut self, node: &Node<'_>, what: &str, chars_max: usize) -> Option<String> {
        let Some(text) = node.get_ref().as_str() else {
            self.mistyped(node, what, "a text in quotes");
            return None;
        };
        if text.is_empty() {
            let problem = format!("{what} is empty");
            self.report(node.span(), problem, "write at least one character");
            return None;
        }
        if text.chars().count() > chars_max {
            let problem = format!("{what} is longer than {chars_max} characters");
            self.report(node.span(), problem, "shorten it");
            return None;
        }
        if text.contains('\0') {
            let problem = format!("{what} holds U+0000, which no argument can");
            self.report(node.span(), problem, "remove it");
            return None;
        }
        Some(text.to_owned())
    }

    /// Returns the place of byte `at` in the content of a quoted text; the whole text if it has escapes.
    pub(crate) fn within(&self, node: &Node<'_>, at: usize) -> Range<usize> {
        let whole = node.span();
        let written = self.text.get(whole.clone()).unwrap_or_default();
        let said = node.get_ref().as_str().unwrap_or_default();
        let Some(start) = written.find(said) else {
            return whole;
        };
        let from = whole.start + start + at;
        let rest = said.get(at..).unwrap_or_default();
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
        from..from + word.unwrap_or(rest.len()).max(1)
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self, node: &Node<'_>, what: &str) -> Option<bool> {
        let value = node.get_ref().as_bool();
        if value.is_none() {
            self.mistyped(node, what, "true or false");
        }
        value
    }

    /// Reads an integer within a range.
    pub(crate) fn integer(
        &mut self,
        node: &Node<'_>,
        what: &str,
        within: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let Some(written) = node.get_ref().as_integer() else {
            self.mistyped(node, what, "an integer");
            return None;
        };
        let value = i64::from_str_radix(written.as_str(), written.radix()).ok();
        let value = value.filter(|value| within.contains(value));
        if value.is_none() {
            let (least, most) = (within.start(), within.end());
            let problem = format!("{what} is out of range");
            self.report(node.span(), problem, format!("write {least} to {most}"));
        }
        value
    }

    /// Reads a count of at least `least`.
    pub(crate) fn count(&mut self, node: &Node<'_>, what: &str, least: i64) -> Option<u64> {
        let value = self.integer(node, what, least..=bus_schema::json::INTEGER_MAX)?;
        u64::try_from(value).ok()
    }

    /// Reads an array; reports an empty one.
    pub(crate) fn items(&mut self, node: &'t Node<'t>, what: &str) -> Option<&'t [Node<'t>]> {
        let Some(items) = node.get_ref().as_array() else {
            self.mistyped(node, what, "a list");
            return None;
        };
        if items.is_empty() {
            let fix = "name at least one value, or remove the rule";
            self.report(
                node.span(),
                format!("{what} is empty and takes in nothing"),
                fix,
            );
            return None;
        }
        Some(items)
    }

    /// Reports a value of the wrong type.
    pub(crate) fn mistyped(&mut self, node: &Node<'_>, what: &str, wanted: &str) {
        let has = node.get_ref().type_str();
        let problem = format!("{what} is of type {has}");
        self.report(node.span(), problem, format!("write {wanted}"));
    }

    /// Reports a name that is already used.
    pub(crate) fn unused(&mut self, name: &str, span: Range<usize>, seen: &mut BTreeSet<String>) {
        if !seen.insert(name.to_owned()) {
            let problem = format!("the name `{name}` is used twice");
            self.report(span, problem, "give each rule a name of its own");
        }
    }
}

/// Reads a name.
pub(crate) fn name(source: &mut Source<'_>, node: &Node<'_>, what: &str) -> Option<String> {
    let text = source.text(node, what, NAME_BYTES_MAX)?;
    if !is_name(&text) {
        let problem = format!("{what} is not a name");
        let fix = "use lower-case letters, digits and `-`, a letter or digit first";
        source.report(node.span(), problem, fix);
        return None;
    }
    Some(text)
}

/// Reads a duration such as "30m" as milliseconds from 1 to `most_ms`.
pub(crate) fn duration(
    source: &mut Source<'_>,
    node: &Node<'_>,
    what: &str,
    most_ms: u64,
) -> Option<u64> {
    let Some(text) = node.get_ref().as_str() else {
        source.mistyped(node, what, "a duration in quotes, such as \"30m\"");
        return None;
    };
    let span: Option<SignedDuration> = text.parse().ok();
    let value = span.and_then(|span| u64::try_from(span.as_millis()).ok());
    let value = value.filter(|ms| (1..=most_ms).contains(ms));
    if value.is_none() {
        let fix = format!(
            "write more than 0 and at most \"{}h\", such as \"30m\"",
            most_ms / 3_600_000
        );
        source.report(node.span(), format!("{what} is not such a duration"), fix);
    }
    value
}

/// Returns the place of an entry of a table, or of the table itself.
pub(crate) fn place(of: &Table<'_>, key: &str) -> Range<usize> {
    of.table
        .get(key)
        .map_or_else(|| of.span.clone(), |node| node.span())
}

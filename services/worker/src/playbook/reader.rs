//! Reads the values of a playbook document, and notes each problem with its place and its fix.

use diagnostic::{Diagnostic, nearest};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::inputs::Inputs;
use super::roots::{Heading, root};
use crate::reference::{Piece, pieces};
use bus_schema::json::INTEGER_MAX;

/// Largest number of reported problems: each costs a pass over the text.
const FOUND_MAX: usize = 200;

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// The document that is read, the steps before and after the current one, and the problems found.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) found: Vec<Diagnostic>,
    pub(super) inputs: Inputs,
    pub(super) earlier: Vec<Heading>,
    /// The current step and those after it, the last one first.
    pub(super) later: Vec<Heading>,
}

impl Reader<'_> {
    /// Records a problem; returns `None` so that callers can return it.
    pub(super) fn wrong<T>(
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

    /// Reads the references in `text`, the decoded `value`.
    pub(super) fn pieces(
        &mut self,
        value: &Value<'_>,
        text: &str,
        has_items: bool,
    ) -> Option<Vec<Piece>> {
        match pieces(text, &|name, path| {
            root(
                (&self.earlier, &self.later),
                &self.inputs,
                name,
                path,
                has_items,
            )
        }) {
            Ok(pieces) => Some(pieces),
            Err(wrong) => {
                let span = value.span();
                let raw = self.text.get(span.clone()).unwrap_or_default();
                let place = match raw.find(text) {
                    Some(from) => {
                        let start = span.start + from;
                        start + wrong.at.start..start + wrong.at.end
                    }
                    None => span,
                };
                self.wrong(place, wrong.problem, wrong.fix)
            }
        }
    }

    pub(super) fn keys(&mut self, table: &DeTable<'_>, known: &[&str], what: &str) {
        for key in table.keys() {
            if known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let fix = match nearest(key.get_ref(), known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it; the keys are {}", known.join(", ")),
            };
            let problem = format!("{what} has no key `{}`", key.get_ref());
            let _: Option<()> = self.wrong(key.span(), problem, fix);
        }
    }

    pub(super) fn required<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        span: Range<usize>,
        key: &str,
        what: &str,
    ) -> Option<&'t Value<'i>> {
        table.get(key).or_else(|| {
            self.wrong(
                span,
                format!("{what} has no `{key}`"),
                format!("add `{key}`"),
            )
        })
    }

    pub(super) fn checked(
        &mut self,
        value: &Value<'_>,
        key: &str,
        fits: impl Fn(&str) -> bool,
        fix: &str,
    ) -> Option<String> {
        let text = self.string(value, key)?;
        if fits(&text) {
            return Some(text);
        }
        self.wrong(value.span(), format!("`{key}` is not what it must be"), fix)
    }

    pub(super) fn string(&mut self, value: &Value<'_>, key: &str) -> Option<String> {
        match value.get_ref().as_str() {
            Some(text) => Some(text.into()),
            None => self.wrong_type(value, key, "a string"),
        }
    }

    pub(super) fn wrong_type<T>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        wanted: &str,
    ) -> Option<T> {
        let found = value.get_ref().type_str();
        let vowel = found.starts_with(['a', 'i']);
        let n = if vowel { "n" } else { "" };
        let problem = format!("`{key}` is a{n} {found}, not {wanted}");
        self.wrong(value.span(), problem, format!("write {wanted}"))
    }
}

/// Returns an integer that JSON can represent exactly.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
    let exact = -INTEGER_MAX..=INTEGER_MAX;
    exact.contains(&number).then_some(number)
}

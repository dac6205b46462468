//! The places of values in a JSON text.

use std::{collections::BTreeMap, ops::Range};

use diagnostic::Diagnostic;
use serde_json::value::RawValue;

/// A value in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'t> {
    file: &'t str,
    text: &'t str,
    raw: &'t RawValue,
}

impl<'t> Place<'t> {
    /// Returns the place of the whole text; none if it is not JSON.
    pub(super) fn of(file: &'t str, text: &'t str) -> Option<Self> {
        let raw = serde_json::from_str(text).ok()?;
        Some(Self { file, text, raw })
    }

    /// Returns the value's own text.
    pub(super) fn json(&self) -> &'t str {
        self.raw.get()
    }

    /// Returns the items of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let items: Vec<&'t RawValue> = serde_json::from_str(self.json()).ok()?;
        Some(items.into_iter().map(|raw| Self { raw, ..*self }).collect())
    }

    /// Returns the members of an object by key.
    pub(super) fn members(&self) -> Option<BTreeMap<String, Self>> {
        let members: BTreeMap<String, &'t RawValue> = serde_json::from_str(self.json()).ok()?;
        let placed = members.into_iter();
        Some(
            placed
                .map(|(key, raw)| (key, Self { raw, ..*self }))
                .collect(),
        )
    }

    /// Returns the place of the value at the end of these keys, or of the last value on the way that is there.
    pub(super) fn at(&self, keys: &[&str]) -> Self {
        let mut place = *self;
        for key in keys {
            match place.members().and_then(|mut all| all.remove(*key)) {
                Some(inner) => place = inner,
                None => break,
            }
        }
        place
    }

    /// Makes a diagnostic for this value; of a value over several lines only the first character is marked.
    pub(super) fn problem(&self, problem: impl Into<String>, fix: impl Into<String>) -> Diagnostic {
        Diagnostic::at(self.file, self.text, self.span(), problem, fix)
    }

    fn span(&self) -> Range<usize> {
        let json = self.json();
        let start = json
            .as_ptr()
            .addr()
            .saturating_sub(self.text.as_ptr().addr());
        let length = if json.contains('\n') { 1 } else { json.len() };
        start..start + length
    }
}

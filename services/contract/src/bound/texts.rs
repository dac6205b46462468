//! Texts of a bound, of which one is enough, compared as written or regardless of case.

use std::fmt;

use serde_json::Value;

use super::ignore_case::{IgnoreCase, SAID, compared, folded};
use super::kind::Reader;
use super::list;
use super::matching::Match;
use crate::show::words::joined;
use crate::toml_text::{quoted, quoted_list};

/// Texts of which one is enough; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts {
    written: Vec<String>,
    /// The texts without differences of case, if these are ignored.
    folded: Option<Vec<String>>,
}

impl Texts {
    /// Reads one text or a list of texts of at most `chars_max` characters under a key, if present.
    pub(super) fn read(
        reader: &mut Reader<'_, '_, '_>,
        key: &str,
        chars_max: usize,
    ) -> Option<Vec<Self>> {
        let ignores = IgnoreCase::is_set(reader)?;
        reader.one(key, |reader, node| {
            let what = format!("`{key}`");
            let written = list::each(reader.source, node, &what, |source, node| {
                source.text(node, &what, chars_max)
            })?;
            Some(Self {
                folded: ignores.then(|| written.iter().map(|text| folded(text)).collect()),
                written,
            })
        })
    }

    /// Matches a text for which `fits` holds with one of these texts: the own text first.
    pub(super) fn judge(&self, value: &Value, fits: fn(&str, &str) -> bool) -> Match {
        Match::told(value.as_str().map(|text| {
            let text = compared(text, self.folded.is_some());
            let mut each = self.folded.as_ref().unwrap_or(&self.written).iter();
            each.any(|own| fits(own, &text))
        }))
    }

    /// The texts, if case counts.
    pub(super) fn exactly(&self) -> Option<Vec<String>> {
        self.folded.is_none().then(|| self.written.clone())
    }

    /// The text, if there is only one and case counts.
    pub(super) fn as_written(&self) -> Option<&str> {
        match (&self.written[..], &self.folded) {
            ([one], None) => Some(one),
            (_, _) => None,
        }
    }

    /// Describes the texts: `"a" or "b"`.
    pub(super) fn say(&self) -> String {
        let texts = self.written.iter().map(|text| quoted(text));
        let texts = joined(texts.collect(), "or");
        if self.folded.is_some() {
            format!("{texts} {SAID}")
        } else {
            texts
        }
    }
}

impl fmt::Display for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted_list(&self.written))
    }
}

//! `ignore_case`: the texts of the same table match in capital and small letters.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};

/// The keys that `ignore_case` changes.
const CHANGED: [&str; 4] = ["is", "prefix", "suffix", "like"];
/// The words for it in a sentence.
pub(super) const SAID: &str = "in capital or small letters";

/// Changes the comparison of the texts beside it; matches by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct IgnoreCase;

/// Returns the text without differences of case, composed (NFC): `ß`, `ẞ`, `SS` and `ss` are equal, `ς` and `Σ`, too.
/// The letter `ı` stays apart from `i`, as in the case folding of Unicode.
pub(super) fn folded(text: &str) -> String {
    let fold = |c: char| {
        let upper: String = match c {
            '\u{131}' => c.to_string(),
            c => c.to_uppercase().collect(),
        };
        // Not of the whole text, in which a final sigma would depend on its place.
        upper
            .chars()
            .flat_map(char::to_lowercase)
            .collect::<Vec<_>>()
    };
    let letters = text.nfd().flat_map(fold);
    letters.collect::<String>().nfc().collect()
}

/// Returns the text as it is compared.
pub(super) fn compared(text: &str, ignores: bool) -> Cow<'_, str> {
    if ignores {
        Cow::Owned(folded(text))
    } else {
        Cow::Borrowed(text)
    }
}

impl IgnoreCase {
    /// Reads `ignore_case` of the table.
    pub(super) fn is_set(reader: &mut Reader<'_, '_, '_>) -> Option<bool> {
        match reader.node("ignore_case") {
            Some(node) => reader.source.boolean(node, "`ignore_case`"),
            None => Some(false),
        }
    }
}

impl Kind for IgnoreCase {
    const KEYS: &'static [&'static str] = &["ignore_case"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let Some(node) = reader.node("ignore_case") else {
            return Some(Vec::new());
        };
        let (problem, fix) = match Self::is_set(reader)? {
            true if CHANGED.iter().any(|key| reader.node(key).is_some()) => {
                return Some(vec![Self]);
            }
            true => (
                "`ignore_case` has no text beside it to compare",
                "write it into the table of `is`, `prefix`, `suffix` or `like`",
            ),
            false => ("`ignore_case = false` says nothing", "remove it"),
        };
        reader.source.report(node.span(), problem, fix);
        None
    }

    fn types(&self) -> &'static [&'static str] {
        &[]
    }

    fn judge(&self, _value: &Value, _context: &CallContext<'_>) -> Match {
        Match::Yes
    }

    fn say(&self, _unit: Unit) -> String {
        SAID.to_owned()
    }
}

impl fmt::Display for IgnoreCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ignore_case = true")
    }
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn case_is_folded_as_unicode_says() {
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("οδός", "ΟΔΌΣ"),
            ("K", "\u{212a}"),
            ("E\u{301}", "é"),
            ("ﬁn", "FIN"),
            ("İ", "i\u{307}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("ı"), folded("i"));
        assert_ne!(folded("e"), folded("é"));
    }
}

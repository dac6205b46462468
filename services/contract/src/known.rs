//! The owner's named values and sets of values, from `[known]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use crate::bound::scalar::Scalar;
use crate::toml_text::key;
use crate::words::Words;
use crate::words::mention::Mention;

/// Known sets by name.
pub(crate) type KnownSets = BTreeMap<String, Arc<KnownSet>>;

/// Fewest characters of an alias that can be told from other words.
pub(crate) const ALIAS_CHARS_MIN: usize = 2;

/// Values of the owner under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownSet {
    /// The name.
    pub name: String,
    /// The values; never empty.
    pub(crate) values: Vec<Scalar>,
    /// The alias of each value, in the order of the values; empty for a set without aliases.
    pub(crate) aliases: Vec<String>,
}

impl KnownSet {
    /// The values whose alias stands in the owner's words, as whole words in any case, with its places.
    pub(crate) fn named_in<'s>(
        &'s self,
        words: &Words<'_>,
    ) -> impl Iterator<Item = (&'s Scalar, Vec<Mention>)> {
        let each = self.aliases.iter().zip(&self.values);
        let places = each.map(|(alias, value)| (value, words.alias(alias)));
        places.filter(|(_, places)| !places.is_empty())
    }

    /// The first alias that is too short, or has no letter, to be told from other words.
    pub(crate) fn weak_alias(&self) -> Option<&str> {
        let weak = |alias: &&String| {
            alias.chars().count() < ALIAS_CHARS_MIN || !alias.chars().any(char::is_alphabetic)
        };
        self.aliases.iter().find(weak).map(String::as_str)
    }

    /// The set as lines of a contract, one for each value of a set with aliases.
    pub(crate) fn lines(&self) -> Vec<String> {
        if self.aliases.is_empty() {
            let each: Vec<String> = self.values.iter().map(Scalar::to_string).collect();
            return vec![format!("known.{} = [{}]", self.name, each.join(", "))];
        }
        let each = self.aliases.iter().zip(&self.values);
        each.map(|(alias, value)| format!("known.{}.{} = {value}", self.name, key(alias)))
            .collect()
    }
}

/// Converts a text to lower case, with one space between words.
pub(crate) fn folded(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase().nfc().collect()
}

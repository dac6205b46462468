//! The part of a tool's entry that says what comes back of an answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::method::Method;
use super::prices::Prices;
use super::texts::{is_name, is_pointer};

/// Most fields of an answer.
const FIELDS_MAX: usize = 64;

/// The part of an answer that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status codes of success.
    #[serde(default = "success")]
    pub status: BTreeSet<u16>,
    /// The content of the answer.
    #[serde(rename = "type")]
    pub kind: AnswerKind,
    /// The fields that come back, each by its JSON Pointer (RFC 6901) in the answer; all of it if there are none.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The places of numbers whose sum is the tokens that the call used, by JSON Pointer; unknown if there are none.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// The prices of what the answer counts; the money of the reservation counts if there are none.
    pub prices: Option<Prices>,
}

/// The content of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// Strict JSON.
    Json,
    /// UTF-8; comes back as `{"text"}`.
    Text,
    /// Not read; `{"status"}` comes back.
    Nothing,
    /// A file of any form, which is stored as it is; comes back as `{"download"}`, which names its parts.
    Download,
    /// A stream of server-sent events; comes back as `{"events": [{"event", "data"}]}`.
    Events,
}

fn success() -> BTreeSet<u16> {
    BTreeSet::from([200])
}

impl Answer {
    /// Returns the tokens that the call used; `number` returns the count at a place. None if one is missing, so that the whole
    /// reservation counts.
    #[must_use]
    pub fn used_tokens(&self, number: &dyn Fn(&str) -> Option<u64>) -> Option<u64> {
        let (first, rest) = self.tokens.split_first()?;
        rest.iter()
            .try_fold(number(first)?, |sum, place| sum.checked_add(number(place)?))
    }

    /// Checks it for a tool with this method.
    ///
    /// # Errors
    /// The first problem, beginning with a verb.
    pub(super) fn check(&self, method: Method) -> Result<(), String> {
        if self.status.is_empty() || self.status.iter().any(|code| !(200..300).contains(code)) {
            return Err(
                "has a `status` without codes from 200 to 299; write the codes of success"
                    .to_owned(),
            );
        }
        let (has_fields, has_counts) = match self.kind {
            AnswerKind::Json => (true, true),
            AnswerKind::Events => (false, true),
            AnswerKind::Text | AnswerKind::Nothing | AnswerKind::Download => (false, false),
        };
        if !has_fields && !self.fields.is_empty() {
            return Err(
                "has `fields`, which only an answer of the type \"json\" has; leave them out"
                    .to_owned(),
            );
        }
        if !has_counts && (!self.tokens.is_empty() || self.prices.is_some()) {
            return Err(
                "has `tokens` or `prices`, which only an answer of the type \"json\" or \"events\" has; leave them out"
                    .to_owned(),
            );
        }
        let prices = self.prices.as_ref();
        if let Some(problem) = prices.and_then(|prices| prices.fault(is_pointer)) {
            return Err(problem);
        }
        if prices.is_some_and(|prices| prices.per_million.len() > FIELDS_MAX) {
            return Err(format!("has more than {FIELDS_MAX} prices; leave some out"));
        }
        if method == Method::Head && self.kind != AnswerKind::Nothing {
            return Err("of HEAD has no body; write \"type\": \"nothing\"".to_owned());
        }
        if self.fields.len().max(self.tokens.len()) > FIELDS_MAX {
            return Err(format!("has more than {FIELDS_MAX} fields; leave some out"));
        }
        if let Some(pointer) = self.tokens.iter().find(|pointer| !is_pointer(pointer)) {
            return Err(format!(
                "has `tokens` at {pointer:?}; write such as [\"/usage/total_tokens\"]"
            ));
        }
        for (name, pointer) in &self.fields {
            if !is_name(name) || !is_pointer(pointer) {
                return Err(format!(
                    "has the field {name:?} at {pointer:?}; write such as \"id\": \"/data/id\""
                ));
            }
        }
        Ok(())
    }
}

//! `seen_in`: a value that stands in a result of a tool in this task, whoever wrote the result.

use std::fmt;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::field_path::read_text;
use super::kind::{Kind, Reader, Unit};
use super::list;
use super::matching::{CallContext, Match};
use crate::record::Stage;
use crate::show::words::joined;
use crate::toml_text::{key, quoted_list};

/// A value that stands in a result of one of these tools; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenIn(pub Vec<String>);

impl SeenIn {
    /// Describes the first place of the value: `` `mail.read` at `messages[2].body` ``.
    pub(crate) fn place(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        self.0.iter().find_map(|tool| {
            let outcomes = context.view.record.outcomes(tool).iter();
            let mut places = outcomes.filter_map(|outcome| match &outcome.stage {
                Stage::Succeeded(result) => place(result.as_ref()?, value),
                Stage::Running | Stage::Failed => None,
            });
            let place = places.next()?;
            Some(if place.is_empty() {
                format!("`{tool}`")
            } else {
                format!("`{tool}` at `{place}`")
            })
        })
    }
}

impl Kind for SeenIn {
    const KEYS: &'static [&'static str] = &["seen_in"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let about = reader.about;
        reader.one("seen_in", |reader, node| {
            let each = list::each(reader.source, node, "`seen_in`", |source, node| {
                Some(about.tool(source, node)?.name().to_string())
            });
            each.map(Self)
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["string", "integer", "number"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        if !value.is_string() && !value.is_number() {
            return Match::Unknown;
        }
        let each = self
            .0
            .iter()
            .flat_map(|tool| context.view.record.outcomes(tool));
        Match::any(each.map(|outcome| match &outcome.stage {
            Stage::Failed => Match::No,
            Stage::Succeeded(Some(result)) => Match::of(place(result, value).is_some()),
            Stage::Running | Stage::Succeeded(None) => Match::Unknown,
        }))
    }

    fn say(&self, _unit: Unit) -> String {
        let tools = self.0.iter().map(|tool| format!("`{tool}`"));
        let tools = joined(tools.collect(), "or");
        format!("stands in what {tools} returned before in this task, whoever wrote it")
    }

    fn results(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for SeenIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seen_in = {}", quoted_list(&self.0))
    }
}

/// Returns the path to the first place of the value in a result; empty for the result itself. A result that is a text of
/// JSON is parsed first.
fn place(result: &Value, value: &Value) -> Option<String> {
    let text: String = match value {
        Value::String(text) => text.nfc().collect(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    if text.is_empty() {
        return None;
    }
    let inner = read_text(result);
    let path = within(inner.as_ref().unwrap_or(result), (value, &text))?;
    Some(path.trim_start_matches('.').to_owned())
}

/// Returns the path from a value to the first place of the wanted one, each name after a dot.
fn within(found: &Value, wanted: (&Value, &str)) -> Option<String> {
    let (value, text) = wanted;
    match found {
        Value::Null | Value::Bool(_) => None,
        Value::Number(number) => (found == value || number.to_string() == text).then(String::new),
        Value::String(found) => {
            let found: String = found.nfc().collect();
            (found == text || has_word(&found, text)).then(String::new)
        }
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(at, item)| Some(format!("[{at}]{}", within(item, wanted)?)))
        }
        Value::Object(map) => {
            let mut items = map.iter();
            items.find_map(|(name, item)| Some(format!(".{}{}", key(name), within(item, wanted)?)))
        }
    }
}

/// Returns true if the text has this word, and not as a part of a longer word, address or number.
fn has_word(text: &str, word: &str) -> bool {
    let ends = |mut neighbours: Box<dyn Iterator<Item = char> + '_>| match neighbours.next() {
        Some(c) if c.is_alphanumeric() || c == '_' => false,
        Some('@' | '.' | ',' | '+' | '-' | '\'' | '\u{2019}') => {
            !neighbours.next().is_some_and(char::is_alphanumeric)
        }
        Some(_) | None => true,
    };
    text.match_indices(word).any(|(at, found)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + found.len()..).unwrap_or_default();
        ends(Box::new(before.chars().rev())) && ends(Box::new(after.chars()))
    })
}

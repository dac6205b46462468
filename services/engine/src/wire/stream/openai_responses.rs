//! `OpenAI` Responses: numbered events, the last of which has the whole answer.

use serde_json::Value;

use super::parts::{cut_off, event, misplaced, reported, unknown};
use crate::wire::message::{AnswerFault, malformed, text_at};

/// The kinds of the last event.
const LAST: [&str; 3] = [
    "response.completed",
    "response.incomplete",
    "response.failed",
];

pub(crate) fn plain(data: Vec<String>) -> Result<Value, AnswerFault> {
    let (mut whole, mut number) = (None, None);
    for data in data {
        let event = event(&data)?;
        let kind =
            text_at(&event, "type").ok_or_else(|| malformed("an event of it has no type"))?;
        if kind == "error" {
            return Err(reported(&event));
        }
        let known = kind.strip_prefix("response.");
        if known.is_none_or(str::is_empty) {
            return Err(unknown(kind));
        }
        let next = event.get("sequence_number").and_then(Value::as_u64);
        if whole.is_some() || next.is_none() || next <= number {
            return Err(misplaced(kind));
        }
        number = next;
        if LAST.contains(&kind) {
            whole = Some(event.get("response").cloned().ok_or_else(cut_off)?);
        }
    }
    whole.ok_or_else(cut_off)
}

pub(super) fn words(event: &Value) -> Option<&str> {
    let is_words = text_at(event, "type") == Some("response.output_text.delta");
    is_words.then(|| text_at(event, "delta"))?
}

//! Answers that came as a stream of events: read into the plain answer of their wire, or a fault.

pub(super) mod anthropic;
pub(super) mod openai_chat;
pub(super) mod openai_responses;
mod parts;

use serde::Deserialize;
use serde_json::Value;

use super::message::AnswerFault;

/// A recorded stream.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    events: Vec<RecordedEvent>,
}

/// An event of a recorded stream. Its name is said again in its data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedEvent {
    #[serde(default, rename = "event")]
    _event: String,
    data: String,
}

/// Reads the data of the events of a wire into its plain answer.
pub(super) type Join = fn(Vec<String>) -> Result<Value, AnswerFault>;

/// Returns the plain answer; an answer that is no stream is one.
///
/// # Errors
/// [`AnswerFault::Malformed`] for a stream that was cut, or whose events are not those of the wire, in their order, each once.
pub(super) fn plain(answer: Value, join: Join) -> Result<Value, AnswerFault> {
    if answer.get("events").is_none() {
        return Ok(answer);
    }
    let recorded = Recorded::deserialize(answer);
    let recorded = recorded.map_err(|error| AnswerFault::Malformed(error.to_string()))?;
    let data = recorded.events.into_iter().map(|event| event.data);
    join(data.collect())
}

/// Returns the words that an event adds to an answer; none for all other events, and for what is no event of a wire.
#[must_use]
pub fn words(data: &str) -> Option<String> {
    let event: Value = serde_json::from_str(data).ok()?;
    let said = anthropic::words(&event)
        .or_else(|| openai_chat::words(&event))
        .or_else(|| openai_responses::words(&event));
    said.filter(|words| !words.is_empty()).map(str::to_owned)
}

//! Parts of the streams of all wires: the data of an event, texts in parts, and faults.

use serde_json::{Map, Value};

use crate::wire::message::{AnswerFault, malformed};

/// Reads the data of an event.
pub(super) fn event(data: &str) -> Result<Value, AnswerFault> {
    let read = serde_json::from_str(data);
    read.map_err(|error| AnswerFault::Malformed(format!("an event of it is no JSON: {error}")))
}

/// The fault of a stream that ended before its end.
pub(super) fn cut_off() -> AnswerFault {
    malformed("its stream ended before its last event")
}

/// The fault of a stream with an event where it does not belong.
pub(super) fn misplaced(kind: &str) -> AnswerFault {
    AnswerFault::Malformed(format!("its stream has an event {kind:?} out of place"))
}

/// The fault of a stream with an event of another kind.
pub(super) fn unknown(kind: &str) -> AnswerFault {
    AnswerFault::Malformed(format!(
        "its stream has an event of the unknown kind {kind:?}"
    ))
}

/// The fault that a stream reports itself.
pub(super) fn reported(error: &Value) -> AnswerFault {
    AnswerFault::Malformed(format!(
        "its stream ends with an error of the host: {error}"
    ))
}

/// Appends text to a member that is one, or that is not there.
pub(super) fn append(
    members: &mut Map<String, Value>,
    name: &str,
    more: &str,
) -> Result<(), AnswerFault> {
    let member = members.entry(name).or_insert_with(|| "".into());
    let Value::String(text) = member else {
        return Err(malformed("its stream adds a text to what is none"));
    };
    text.push_str(more);
    Ok(())
}

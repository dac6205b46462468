//! The requests to a model and its answers on one line of the timeline.

use bus_schema::{AFTER, json::canonical};
use engine::wire::{ModelTurn, Wire};
use serde_json::Value;

use crate::{fact::one_line, model::PREFIX};

/// Most characters of the arguments of a call.
const ARGS_CHARS: usize = 60;

/// Returns true if a model answers calls of this tool.
pub(crate) fn is_model(tool: &str) -> bool {
    tool.starts_with(PREFIX)
}

/// Describes a request by its arguments; none if they are not those of a dialogue.
pub(crate) fn asked(args: &str) -> Option<String> {
    let args: Value = serde_json::from_str(args).ok()?;
    let messages: Value = serde_json::from_str(args.get("messages")?.as_str()?).ok()?;
    let (id, count) = (args.get("model")?.as_str()?, messages.as_array()?.len());
    let messages = if count == 1 { "message" } else { "messages" };
    let further = if args.get(AFTER).is_some() {
        "further "
    } else {
        ""
    };
    Some(one_line(&format!("asks {id}, {count} {further}{messages}")))
}

/// Reads an answer; none if it is an answer of no wire.
pub(crate) fn turn(output: &str) -> Option<ModelTurn> {
    // Only the first answer may not be empty.
    let turn = |wire: Wire| wire.turn(1, output.as_bytes()).ok();
    Wire::ALL.into_iter().find_map(turn)
}

/// The words of an answer that calls nothing.
pub(crate) fn words(turn: &ModelTurn) -> Option<&str> {
    turn.calls.is_empty().then_some(&turn.text)
}

/// Describes an answer: its words and its calls.
pub(crate) fn answered(turn: &ModelTurn, fact: &Value) -> String {
    let mut parts = Vec::new();
    let words = turn.text.trim();
    if !words.is_empty() {
        parts.push(one_line(words));
    }
    for call in &turn.calls {
        let args = call
            .args
            .as_ref()
            .map(|args| canonical(&Value::Object(args.clone())));
        let args = args.map(|args| String::from_utf8_lossy(&args).into_owned());
        let args: String = args.unwrap_or_default().chars().take(ARGS_CHARS).collect();
        parts.push(one_line(&format!("[{} {args}]", call.name)));
    }
    let tokens = fact.pointer("/usage/tokens").and_then(Value::as_u64);
    if let Some(tokens) = tokens {
        parts.push(format!("({tokens} tokens)"));
    }
    parts.join(" ")
}

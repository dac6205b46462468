//! `OpenAI` Chat Completions: calls with arguments in a text, and a message for each result.

use serde_json::{Map, Value, json};

use super::message::{
    AnswerFault, Conversation, Message, ModelTurn, Offer, WireCall, malformed, text_at,
};

/// The members of an answer that go back with the next request.
const KEPT: [&str; 7] = [
    "role",
    "content",
    "tool_calls",
    "refusal",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
];

pub(super) fn conversation(
    instructions: &str,
    offers: &[Offer<'_>],
    messages: &[Message],
) -> Conversation {
    let mut sent = vec![json!({"role": "system", "content": instructions})];
    for message in messages {
        match message {
            Message::Words(text) => sent.push(json!({"role": "user", "content": text})),
            Message::Answer(turn) => sent.push(turn.said.clone()),
            Message::Results(results) => sent.extend(results.iter().map(
                |result| json!({"role": "tool", "tool_call_id": result.id, "content": result.text}),
            )),
        }
    }
    let tool = |offer: &Offer<'_>| {
        json!({"type": "function", "function": {
            "name": offer.name, "description": offer.description, "parameters": offer.schema,
        }})
    };
    Conversation {
        system: None,
        messages: sent,
        tools: (!offers.is_empty()).then(|| offers.iter().map(tool).collect()),
    }
}

pub(super) fn turn(turn: usize, answer: &Value) -> Result<ModelTurn, AnswerFault> {
    let choice = answer.pointer("/choices/0");
    let message = choice.and_then(|choice| choice.get("message")?.as_object());
    let (Some(choice), Some(message)) = (choice, message) else {
        return Err(malformed("it has no message"));
    };
    match text_at(choice, "finish_reason") {
        Some("length") => return Err(AnswerFault::Cut("length".to_owned())),
        Some("content_filter") => return Err(AnswerFault::Refused("content_filter".to_owned())),
        // Servers differ in the reason of an answer with calls.
        Some(_) | None => {}
    }
    let of = |name: &str| message.get(name).and_then(Value::as_str);
    if let Some(refusal) = of("refusal").filter(|refusal| !refusal.is_empty()) {
        return Err(AnswerFault::Refused(refusal.to_owned()));
    }
    let mut said: Map<String, Value> = Map::new();
    for name in KEPT {
        let value = message.get(name).filter(|value| !value.is_null());
        said.extend(value.map(|value| (name.to_owned(), value.clone())));
    }
    said.insert("role".to_owned(), "assistant".into());
    let mut calls = Vec::new();
    let wanted = said.get_mut("tool_calls").and_then(Value::as_array_mut);
    for (nth, wanted) in wanted.into_iter().flatten().enumerate() {
        calls.push(call((turn, nth), wanted)?);
    }
    if calls.is_empty() {
        said.remove("tool_calls");
    } else {
        // Next to calls, some servers require it.
        said.entry("content").or_insert(Value::Null);
    }
    Ok(ModelTurn {
        text: of("content").unwrap_or_default().to_owned(),
        said: Value::Object(said),
        calls,
    })
}

/// Reads a call; one without an id gets one of its place.
fn call((turn, nth): (usize, usize), wanted: &mut Value) -> Result<WireCall, AnswerFault> {
    let Some(members) = wanted.as_object_mut() else {
        return Err(malformed("a call is no object"));
    };
    let id = members.get("id").and_then(Value::as_str);
    let id = id.filter(|id| !id.is_empty()).map(str::to_owned);
    let id = id.unwrap_or_else(|| format!("call_{turn}_{nth}"));
    members.insert("id".to_owned(), id.clone().into());
    members.insert("type".to_owned(), "function".into());
    // Some servers number the calls, and others do not take that back.
    members.remove("index");
    let function = members.get("function").unwrap_or(&Value::Null);
    let Some(name) = text_at(function, "name") else {
        return Err(malformed("a call has no name"));
    };
    let name = name.to_owned();
    let args = match function.get("arguments") {
        // A tool without arguments is called so by some servers.
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(Map::new()),
        Some(Value::String(text)) => serde_json::from_str(text)
            .map_err(|error| format!("the arguments are no JSON object: {error}")),
        Some(Value::Object(args)) => Ok(args.clone()),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
            Err("the arguments are no JSON object".to_owned())
        }
    };
    if args.is_err()
        && let Some(function) = members.get_mut("function").and_then(Value::as_object_mut)
    {
        // Some servers read them again with each request, and refuse all of it.
        function.insert("arguments".to_owned(), "{}".into());
    }
    Ok(WireCall { id, name, args })
}

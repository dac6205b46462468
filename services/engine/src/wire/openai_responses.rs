//! `OpenAI` Responses: items in their order, nothing stored at the provider, reasoning encrypted and given back.

use serde_json::{Map, Value, json};

use super::message::{
    AnswerFault, Conversation, Message, ModelTurn, Offer, WireCall, malformed, text_at,
};

pub(super) fn conversation(
    instructions: &str,
    offers: &[Offer<'_>],
    messages: &[Message],
) -> Conversation {
    let mut items = Vec::new();
    for message in messages {
        match message {
            Message::Words(text) => items.push(json!({"role": "user", "content": text})),
            Message::Answer(turn) => items.extend(turn.said.as_array().into_iter().flatten().cloned()),
            Message::Results(results) => items.extend(results.iter().map(|result| {
                json!({"type": "function_call_output", "call_id": result.id, "output": result.text})
            })),
        }
    }
    let tool = |offer: &Offer<'_>| {
        // Schemas of the catalogue are not in the subset that `strict` needs.
        json!({
            "type": "function", "name": offer.name, "description": offer.description,
            "parameters": offer.schema, "strict": false,
        })
    };
    Conversation {
        system: Some(instructions.to_owned()),
        messages: items,
        tools: (!offers.is_empty()).then(|| offers.iter().map(tool).collect()),
    }
}

pub(super) fn turn(answer: &Value) -> Result<ModelTurn, AnswerFault> {
    let Some(items) = answer.get("output").and_then(Value::as_array) else {
        return Err(malformed("it has no output"));
    };
    match text_at(answer, "status") {
        Some("completed") => {}
        Some("incomplete") => {
            let reason = answer.pointer("/incomplete_details/reason");
            let reason = reason.and_then(Value::as_str).unwrap_or("incomplete");
            return Err(match reason {
                "content_filter" => AnswerFault::Refused(reason.to_owned()),
                reason => AnswerFault::Cut(reason.to_owned()),
            });
        }
        Some(_) | None => return Err(malformed("its status is not `completed`")),
    }
    let (mut text, mut calls) = (String::new(), Vec::new());
    for item in items {
        match text_at(item, "type") {
            Some("message") => text.push_str(&words(item)?),
            Some("function_call") => calls.push(call(item)?),
            // Reasoning goes back as it came.
            Some(_) => {}
            None => return Err(malformed("an item of it has no type")),
        }
    }
    Ok(ModelTurn {
        said: Value::Array(items.clone()),
        text,
        calls,
    })
}

/// The words of a message.
fn words(item: &Value) -> Result<String, AnswerFault> {
    let parts = item.get("content").and_then(Value::as_array);
    let mut text = String::new();
    for part in parts.into_iter().flatten() {
        if let Some(refusal) = text_at(part, "refusal") {
            return Err(AnswerFault::Refused(refusal.to_owned()));
        }
        text.push_str(text_at(part, "text").unwrap_or_default());
    }
    Ok(text)
}

fn call(item: &Value) -> Result<WireCall, AnswerFault> {
    let (Some(id), Some(name)) = (text_at(item, "call_id"), text_at(item, "name")) else {
        return Err(malformed("a call has no id or no name"));
    };
    let args = text_at(item, "arguments").unwrap_or_default();
    let args: Result<Map<String, Value>, _> = serde_json::from_str(args);
    Ok(WireCall {
        id: id.to_owned(),
        name: name.to_owned(),
        args: args.map_err(|error| format!("the arguments are no JSON object: {error}")),
    })
}

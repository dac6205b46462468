//! Anthropic Messages: content blocks, and all results of an answer in one message right behind it.

use serde_json::{Value, json};

use super::message::{
    AnswerFault, Conversation, Message, ModelTurn, Offer, WireCall, WireResult, malformed, text_at,
};

pub(super) fn conversation(
    instructions: &str,
    offers: &[Offer<'_>],
    messages: &[Message],
) -> Conversation {
    let tool = |offer: &Offer<'_>| json!({"name": offer.name, "description": offer.description, "input_schema": offer.schema});
    let messages = messages.iter().map(|message| match message {
        Message::Words(text) => json!({"role": "user", "content": text}),
        Message::Answer(turn) => json!({"role": "assistant", "content": turn.said}),
        Message::Results(results) => {
            let results: Vec<Value> = results.iter().map(result).collect();
            json!({"role": "user", "content": results})
        }
    });
    Conversation {
        system: Some(instructions.to_owned()),
        messages: messages.collect(),
        tools: (!offers.is_empty()).then(|| offers.iter().map(tool).collect()),
    }
}

fn result(result: &WireResult) -> Value {
    let mut block =
        json!({"type": "tool_result", "tool_use_id": result.id, "content": result.text});
    if let (true, Some(block)) = (result.is_error, block.as_object_mut()) {
        block.insert("is_error".to_owned(), Value::Bool(true));
    }
    block
}

pub(super) fn turn(answer: &Value) -> Result<ModelTurn, AnswerFault> {
    let blocks = answer.get("content").and_then(Value::as_array);
    let (Some(blocks), Some("assistant")) = (blocks, text_at(answer, "role")) else {
        return Err(malformed("it is no message of an assistant"));
    };
    match text_at(answer, "stop_reason") {
        Some(limit @ ("max_tokens" | "model_context_window_exceeded")) => {
            return Err(AnswerFault::Cut(limit.to_owned()));
        }
        Some("refusal") => return Err(AnswerFault::Refused("refusal".to_owned())),
        Some("end_turn" | "tool_use" | "stop_sequence") => {}
        Some(_) | None => return Err(malformed("it has no `stop_reason` that ends an answer")),
    }
    let (mut text, mut calls) = (String::new(), Vec::new());
    for block in blocks {
        match text_at(block, "type") {
            Some("text") => text.push_str(text_at(block, "text").unwrap_or_default()),
            Some("tool_use") => calls.push(call(block)?),
            // Reasoning, with its signature, goes back as it came.
            Some(_) => {}
            None => return Err(malformed("a block of it has no type")),
        }
    }
    Ok(ModelTurn {
        said: Value::Array(blocks.clone()),
        text,
        calls,
    })
}

fn call(block: &Value) -> Result<WireCall, AnswerFault> {
    let (Some(id), Some(name)) = (text_at(block, "id"), text_at(block, "name")) else {
        return Err(malformed("a call has no id or no name"));
    };
    let args = block.get("input").and_then(Value::as_object).cloned();
    Ok(WireCall {
        id: id.to_owned(),
        name: name.to_owned(),
        args: args.ok_or_else(|| "the arguments are no JSON object".to_owned()),
    })
}

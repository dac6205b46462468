//! `OpenAI` Chat Completions: the parts of one message, the reason of its end, the usage, and `[DONE]`.

use serde_json::{Map, Value, json};

use super::parts::{append, cut_off, event, misplaced, reported};
use crate::wire::message::{AnswerFault, malformed, text_at};

/// The last data of a stream.
const DONE: &str = "[DONE]";
/// The members of a message that come in parts.
const TEXTS: [&str; 4] = ["content", "refusal", "reasoning_content", "reasoning"];

/// A message, as far as it was read.
#[derive(Debug, Default)]
struct PartialChoice {
    id: Option<String>,
    message: Map<String, Value>,
    calls: Vec<Map<String, Value>>,
    reason: Option<Value>,
    done: bool,
}

pub(crate) fn plain(data: Vec<String>) -> Result<Value, AnswerFault> {
    let mut partial = PartialChoice::default();
    for data in data {
        if partial.done {
            return Err(misplaced("after [DONE]"));
        }
        if data.trim() == DONE {
            partial.done = true;
        } else {
            partial.add(&event(&data)?)?;
        }
    }
    partial.end()
}

pub(super) fn words(event: &Value) -> Option<&str> {
    event.pointer("/choices/0/delta/content")?.as_str()
}

impl PartialChoice {
    fn add(&mut self, event: &Value) -> Result<(), AnswerFault> {
        if let Some(error) = event.get("error") {
            return Err(reported(error));
        }
        let choices = event.get("choices").and_then(Value::as_array);
        let Some(choices) = choices else {
            return Err(malformed("an event of its stream has no choices"));
        };
        // The parts of one message have one id.
        let id = text_at(event, "id").filter(|id| !id.is_empty());
        if let (Some(known), Some(id)) = (&self.id, id)
            && known != id
        {
            return Err(misplaced("of another message"));
        }
        self.id = self.id.take().or_else(|| id.map(str::to_owned));
        // The last part may have the usage alone.
        let Some(choice) = choices.first() else {
            return Ok(());
        };
        if self.reason.is_some() && has_words(choice) {
            return Err(misplaced("after the reason of the end"));
        }
        let delta = choice.get("delta").and_then(Value::as_object);
        for (name, value) in delta.into_iter().flatten() {
            self.member(name, value)?;
        }
        let reason = choice
            .get("finish_reason")
            .filter(|reason| !reason.is_null());
        self.reason = reason.cloned().or_else(|| self.reason.take());
        Ok(())
    }

    fn member(&mut self, name: &str, value: &Value) -> Result<(), AnswerFault> {
        match value {
            Value::String(more) if TEXTS.contains(&name) => append(&mut self.message, name, more),
            Value::Array(calls) if name == "tool_calls" => {
                calls.iter().try_for_each(|call| self.call(call))
            }
            Value::Array(details) if name == "reasoning_details" => {
                let all = self.message.entry(name).or_insert_with(|| json!([]));
                if let Some(all) = all.as_array_mut() {
                    all.extend(details.iter().cloned());
                }
                Ok(())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Ok(()),
        }
    }

    /// Adds a part of a call: the next one, or more of the arguments of the last one.
    fn call(&mut self, part: &Value) -> Result<(), AnswerFault> {
        let id = text_at(part, "id").filter(|id| !id.is_empty());
        let count = self.calls.len();
        let index = part.get("index").and_then(Value::as_u64);
        let index = match index {
            Some(index) => usize::try_from(index).unwrap_or(usize::MAX),
            // Servers that do not number calls send each as a whole.
            None => count,
        };
        let function = part.get("function").unwrap_or(&Value::Null);
        if index == count {
            let mut call = Map::new();
            call.extend(id.map(|id| ("id".to_owned(), id.into())));
            call.insert("type".to_owned(), "function".into());
            let (name, args) = (text_at(function, "name"), text_at(function, "arguments"));
            let name = name.ok_or_else(|| malformed("a call of its stream has no name"))?;
            let args = args.unwrap_or_default();
            call.insert(
                "function".to_owned(),
                json!({"name": name, "arguments": args}),
            );
            self.calls.push(call);
            return Ok(());
        }
        let last = self.calls.last_mut().filter(|_| index + 1 == count);
        let call = last.ok_or_else(|| misplaced("of a call"))?;
        let known = call.get("id").and_then(Value::as_str);
        if id.is_some_and(|id| known != Some(id)) {
            return Err(misplaced("of another call"));
        }
        let args = text_at(function, "arguments").unwrap_or_default();
        match call.get_mut("function").and_then(Value::as_object_mut) {
            Some(function) => append(function, "arguments", args),
            None => Ok(()),
        }
    }

    fn end(mut self) -> Result<Value, AnswerFault> {
        let reason = self.reason.filter(|_| self.done).ok_or_else(cut_off)?;
        self.message.insert("role".to_owned(), "assistant".into());
        if !self.calls.is_empty() {
            let calls = self.calls.into_iter().map(Value::Object);
            self.message
                .insert("tool_calls".to_owned(), calls.collect());
        }
        Ok(json!({"choices": [{"index": 0, "message": self.message, "finish_reason": reason}]}))
    }
}

/// Returns true if a part adds to the message.
fn has_words(choice: &Value) -> bool {
    let delta = choice.get("delta").and_then(Value::as_object);
    let mut members = delta.into_iter().flatten();
    members.any(|(name, value)| match value {
        Value::String(text) => TEXTS.contains(&name.as_str()) && !text.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    })
}

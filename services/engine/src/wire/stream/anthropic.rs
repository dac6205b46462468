//! Anthropic Messages: a message, its blocks one after the other, each in parts, and the reason of its end.

use serde_json::{Map, Value, json};

use super::parts::{append, cut_off, event, misplaced, reported, unknown};
use crate::wire::message::{AnswerFault, malformed, text_at};

/// A message, as far as it was read.
#[derive(Debug, Default)]
struct PartialMessage {
    message: Option<Map<String, Value>>,
    blocks: Vec<Value>,
    /// The block that has begun and not ended.
    open: Option<Map<String, Value>>,
    /// The arguments of the open block, as far as they were read.
    input: String,
    has_reason: bool,
    ended: bool,
}

pub(crate) fn plain(data: Vec<String>) -> Result<Value, AnswerFault> {
    let mut partial = PartialMessage::default();
    for data in data {
        partial.add(&event(&data)?)?;
    }
    partial.end()
}

pub(super) fn words(event: &Value) -> Option<&str> {
    let delta = event.get("delta")?;
    let is_words = text_at(event, "type") == Some("content_block_delta")
        && text_at(delta, "type") == Some("text_delta");
    is_words.then(|| text_at(delta, "text"))?
}

impl PartialMessage {
    fn add(&mut self, event: &Value) -> Result<(), AnswerFault> {
        let kind = text_at(event, "type").ok_or_else(|| malformed("an event of it has no type"))?;
        if kind == "ping" {
            return Ok(());
        }
        if kind == "error" {
            return Err(reported(event.get("error").unwrap_or(event)));
        }
        let begins = kind == "message_start";
        if self.ended || begins == self.message.is_some() {
            return Err(misplaced(kind));
        }
        match kind {
            "message_start" => {
                let message = event.get("message").and_then(Value::as_object);
                let message =
                    message.ok_or_else(|| malformed("its stream begins with no message"))?;
                self.message = Some(message.clone());
            }
            "content_block_start" => self.begin(event)?,
            "content_block_delta" => self.delta(event)?,
            "content_block_stop" => self.stop(event)?,
            "message_delta" if self.open.is_none() && !self.has_reason => self.reason(event)?,
            "message_stop" if self.has_reason => self.ended = true,
            "message_delta" | "message_stop" => return Err(misplaced(kind)),
            kind => return Err(unknown(kind)),
        }
        Ok(())
    }

    /// Checks that an event is about the block that comes next.
    fn check_place(&self, event: &Value, kind: &str) -> Result<(), AnswerFault> {
        let index = event.get("index").and_then(Value::as_u64);
        let next = u64::try_from(self.blocks.len()).ok();
        if index.is_none() || index != next || self.has_reason {
            return Err(misplaced(kind));
        }
        Ok(())
    }

    fn begin(&mut self, event: &Value) -> Result<(), AnswerFault> {
        let kind = "content_block_start";
        self.check_place(event, kind)?;
        let block = event.get("content_block").and_then(Value::as_object);
        let block = block.filter(|_| self.open.is_none());
        self.open = Some(block.ok_or_else(|| misplaced(kind))?.clone());
        Ok(())
    }

    fn delta(&mut self, event: &Value) -> Result<(), AnswerFault> {
        let kind = "content_block_delta";
        self.check_place(event, kind)?;
        let block = self.open.as_mut().ok_or_else(|| misplaced(kind))?;
        let delta = event.get("delta").unwrap_or(&Value::Null);
        let text = |name: &str| {
            let text = text_at(delta, name);
            text.ok_or_else(|| malformed("a part of a block of it has no text"))
        };
        match text_at(delta, "type").unwrap_or_default() {
            "text_delta" => append(block, "text", text("text")?),
            "thinking_delta" => append(block, "thinking", text("thinking")?),
            "signature_delta" => append(block, "signature", text("signature")?),
            "input_json_delta" => {
                self.input.push_str(text("partial_json")?);
                Ok(())
            }
            "citations_delta" => {
                let citations = block.entry("citations").or_insert_with(|| json!([]));
                if !citations.is_array() {
                    *citations = json!([]);
                }
                if let Some(citations) = citations.as_array_mut() {
                    citations.push(delta.get("citation").cloned().unwrap_or_default());
                }
                Ok(())
            }
            kind => Err(unknown(kind)),
        }
    }

    fn stop(&mut self, event: &Value) -> Result<(), AnswerFault> {
        let kind = "content_block_stop";
        self.check_place(event, kind)?;
        let mut block = self.open.take().ok_or_else(|| misplaced(kind))?;
        let input = std::mem::take(&mut self.input);
        if !input.is_empty() {
            let read: Result<Value, _> = serde_json::from_str(&input);
            let read = read.map_err(|_| malformed("the arguments of a call of it are no JSON"))?;
            block.insert("input".to_owned(), read);
        }
        self.blocks.push(Value::Object(block));
        Ok(())
    }

    fn reason(&mut self, event: &Value) -> Result<(), AnswerFault> {
        let delta = event.get("delta").and_then(Value::as_object);
        let delta = delta.ok_or_else(|| malformed("its stream says no reason of its end"))?;
        if let Some(message) = &mut self.message {
            message.extend(delta.clone());
        }
        self.has_reason = true;
        Ok(())
    }

    fn end(self) -> Result<Value, AnswerFault> {
        let mut message = self.message.filter(|_| self.ended).ok_or_else(cut_off)?;
        message.insert("content".to_owned(), Value::Array(self.blocks));
        Ok(Value::Object(message))
    }
}

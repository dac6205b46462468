//! The forms in which models take conversations and answer: pure encoding and decoding, behind which no other file knows one.

mod anthropic;
mod message;
mod openai_chat;
mod openai_responses;
mod stream;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::message::{
    AnswerFault, Conversation, Message, ModelTurn, Offer, WireCall, WireResult,
};
pub use self::stream::words;

/// A form in which a model takes conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wire {
    /// Anthropic Messages.
    Anthropic,
    /// `OpenAI` Chat Completions, which Ollama, llama.cpp and vLLM take as well.
    OpenaiChat,
    /// `OpenAI` Responses.
    OpenaiResponses,
}

/// A name that is no wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no wire; write anthropic, openai-chat or openai-responses")]
pub struct UnknownWire(String);

impl Wire {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Anthropic, Self::OpenaiChat, Self::OpenaiResponses];

    /// Encodes a conversation. The same one has the same bytes.
    #[must_use]
    pub fn conversation(
        self,
        instructions: &str,
        offers: &[Offer<'_>],
        messages: &[Message],
    ) -> Conversation {
        match self {
            Self::Anthropic => anthropic::conversation(instructions, offers, messages),
            Self::OpenaiChat => openai_chat::conversation(instructions, offers, messages),
            Self::OpenaiResponses => openai_responses::conversation(instructions, offers, messages),
        }
    }

    /// Decodes a whole answer, the `turn`th of its conversation: plain, or as the events of a stream.
    ///
    /// # Errors
    /// [`AnswerFault`]
    pub fn turn(self, turn: usize, answer: &[u8]) -> Result<ModelTurn, AnswerFault> {
        let read: Value = serde_json::from_slice(answer)
            .map_err(|error| AnswerFault::Malformed(error.to_string()))?;
        let read = stream::plain(
            read,
            match self {
                Self::Anthropic => stream::anthropic::plain,
                Self::OpenaiChat => stream::openai_chat::plain,
                Self::OpenaiResponses => stream::openai_responses::plain,
            },
        )?;
        let is_first = turn == 0;
        let turn = match self {
            Self::Anthropic => anthropic::turn(&read)?,
            Self::OpenaiChat => openai_chat::turn(turn, &read)?,
            Self::OpenaiResponses => openai_responses::turn(&read)?,
        };
        // After results, some models end with nothing more to say.
        if is_first && turn.calls.is_empty() && turn.text.trim().is_empty() {
            let empty = "it has neither words nor calls".to_owned();
            return Err(AnswerFault::Malformed(empty));
        }
        let mut ids: Vec<&str> = turn.calls.iter().map(|call| call.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != turn.calls.len() {
            let twice = "two of its calls have one id".to_owned();
            return Err(AnswerFault::Malformed(twice));
        }
        Ok(turn)
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anthropic => "anthropic",
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
        })
    }
}

impl FromStr for Wire {
    type Err = UnknownWire;

    fn from_str(text: &str) -> Result<Self, UnknownWire> {
        let found = Self::ALL.into_iter().find(|one| one.to_string() == text);
        found.ok_or_else(|| UnknownWire(text.to_owned()))
    }
}

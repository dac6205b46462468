//! The messages of a conversation, and the answers of models, in no form of their own.

use serde_json::{Map, Value};

/// A tool as a model is offered it.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Letters, digits, `_` and `-`.
    pub name: &'a str,
    /// The description.
    pub description: &'a str,
    /// The JSON Schema of its arguments.
    pub schema: &'a Value,
}

/// A message of a conversation.
#[derive(Debug, Clone)]
pub enum Message {
    /// The words of a person.
    Words(String),
    /// The answer of the model.
    Answer(ModelTurn),
    /// The results of all calls of the answer before it, in the order of the calls.
    Results(Vec<WireResult>),
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireResult {
    /// The id of the call.
    pub id: String,
    /// The text that the model reads.
    pub text: String,
    /// True if the call has not done what it was to do.
    pub is_error: bool,
}

/// The parts of a request that say the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// The instructions, where they are no message.
    pub system: Option<String>,
    /// The messages.
    pub messages: Vec<Value>,
    /// The offered tools; none if there are none.
    pub tools: Option<Value>,
}

/// An answer of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelTurn {
    /// The answer as it goes back with the next request, reasoning and signatures unchanged.
    pub(super) said: Value,
    /// Its words.
    pub text: String,
    /// Its calls, in its order.
    pub calls: Vec<WireCall>,
}

/// A call that a model wants.
#[derive(Debug, Clone, PartialEq)]
pub struct WireCall {
    /// The id, unique in the answer.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments; the reason that there are none otherwise.
    pub args: Result<Map<String, Value>, String>,
}

/// The reason that an answer is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// It is none of the wire's answers, or says nothing.
    #[error("the model's answer cannot be read: {0}")]
    Malformed(String),
    /// It ended at a limit.
    #[error(
        "the model's answer was cut at the limit {0:?}; give the model a higher one, or a shorter task"
    )]
    Cut(String),
    /// The model or its provider refuses to answer.
    #[error("the model's provider does not answer this: {0}")]
    Refused(String),
}

/// Reads a text of an answer.
pub(super) fn text_at<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

pub(super) fn malformed(problem: &str) -> AnswerFault {
    AnswerFault::Malformed(problem.to_owned())
}

//! Makes the entry of one operation, with a guess of its effect and risk.

use contract::Endpoint;
use serde_json::{Map, Value, json};

use super::answer::Answered;
use super::document::{Document, Operation};
use super::inputs::Inputs;
use super::schemas::described;

/// The limits of a call, which the written file shows and a person can change.
const WALL_MS: u64 = 30_000;
/// Most bytes of a request and of an answer.
const BYTES_MAX: u64 = 1024 * 1024;

/// The host that the tools send to, which the document never chooses.
#[derive(Debug)]
pub(crate) struct Target {
    /// The first part of the tools' names.
    pub(crate) prefix: String,
    pub(crate) endpoint: Endpoint,
    /// The path before all paths of the document.
    pub(crate) base: String,
}

/// The tool of an operation.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    /// Without the schema of the results.
    pub(crate) entry: Map<String, Value>,
    pub(crate) results: Option<Value>,
    pub(crate) effect: &'static str,
    pub(crate) risk: Option<&'static str>,
    /// The reason for the guess, and what was left out.
    pub(crate) because: String,
}

impl Target {
    /// Makes the tool of an operation.
    ///
    /// # Errors
    /// Returns the reason that no tool can call it.
    pub(crate) fn make(
        &self,
        document: &Document,
        operation: &Operation<'_>,
    ) -> Result<Made, String> {
        let mut inputs = Inputs::of(document, operation)?;
        let answered = Answered::of(document, operation)?;
        let mut because = std::mem::take(&mut inputs.notes);
        let parts = inputs.parts()?;
        let (effect, risk, why) = guessed(&operation.method, parts.sends);
        because.insert(0, why.to_owned());
        let name = format!("{}.{}", self.prefix, operation.id);
        let path = format!("{}{}", self.base, parts.path);
        let mut http = json!({
            "method": operation.method, "host": self.endpoint.to_string(), "path": path,
            "query": parts.query, "headers": parts.headers, "answer": answered.answer,
            "limits": {"wall_ms": WALL_MS, "request_bytes_max": BYTES_MAX, "answer_bytes_max": BYTES_MAX},
        });
        if let (Some(body), Some(members)) = (parts.body, http.as_object_mut()) {
            members.insert("body".to_owned(), body);
        }
        let mut entry = Map::new();
        let about = described(&operation.summary());
        let about = if about.is_empty() {
            format!("{} {path}", operation.method)
        } else {
            about
        };
        entry.insert("name".to_owned(), json!(name));
        entry.insert("description".to_owned(), json!(about));
        entry.insert("input_schema".to_owned(), parts.input_schema);
        entry.insert("effect".to_owned(), json!(effect));
        if let Some(risk) = risk {
            entry.insert("risk".to_owned(), json!(risk));
        }
        entry.insert("output".to_owned(), json!("untrusted"));
        entry.insert("http".to_owned(), http);
        Ok(Made {
            name,
            entry,
            results: answered.schema,
            effect,
            risk,
            because: because.join("; "),
        })
    }
}

/// Guesses effect and risk. What sends an argument is outward; what changes something may do damage.
fn guessed(method: &str, sends: bool) -> (&'static str, Option<&'static str>, &'static str) {
    match method {
        "GET" | "HEAD" if !sends => ("read", None, "it sends no argument"),
        "GET" | "HEAD" => ("outward", Some("low"), "it sends arguments, and only reads"),
        "DELETE" => ("outward", Some("high"), "it deletes"),
        _ => ("outward", Some("medium"), "it changes something"),
    }
}

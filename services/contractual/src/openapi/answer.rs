//! The answer of an entry: the codes of success with one content, and the schema of the results.

use serde_json::{Map, Value, json};

use super::document::{Document, Operation};
use super::inputs::json_of;
use super::schemas::{Direction, Schemas};

/// The answer of an operation.
#[derive(Debug)]
pub(super) struct Answered {
    /// The member `answer` of the entry.
    pub(super) answer: Value,
    /// The schema of the results; none if the document does not say it, or if it cannot be taken.
    pub(super) schema: Option<Value>,
}

/// The content of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    Nothing,
}

impl Answered {
    /// Reads the responses of an operation.
    ///
    /// # Errors
    /// Returns the reason that no tool can read its answer.
    pub(super) fn of(document: &Document, operation: &Operation<'_>) -> Result<Self, String> {
        let responses = operation
            .written
            .get("responses")
            .and_then(Value::as_object);
        let all = || responses.into_iter().flatten();
        let mut successes: Vec<(u16, &Value)> = all()
            .filter_map(|(code, response)| Some((success(code)?, response)))
            .collect();
        if successes.is_empty() {
            // Beside a code of success, it is the answer to errors.
            let default = all().find(|(code, _)| *code == "default");
            successes.extend(default.map(|(_, response)| (200, response)));
        }
        let mut found: Option<(Kind, Vec<u16>, &Value)> = None;
        for (code, response) in successes {
            let response = document.resolve(response)?;
            let kind = kind(response, &operation.method)?;
            match &mut found {
                None => found = Some((kind, vec![code], response)),
                Some((known, codes, _)) if *known == kind => codes.push(code),
                Some(_) => {}
            }
        }
        let (kind, codes, response) = found.ok_or("it has no response of success")?;
        let (kind, schema) = match kind {
            Kind::Json => (
                "json",
                json_of(response).and_then(|media| media.get("schema")),
            ),
            Kind::Text => ("text", None),
            Kind::Nothing => ("nothing", None),
        };
        Ok(Self {
            answer: json!({"status": codes, "type": kind}),
            schema: schema.and_then(|schema| results(document, schema).ok()),
        })
    }
}

/// The code of success that a response is for.
fn success(code: &str) -> Option<u16> {
    match code {
        "2XX" | "2xx" => Some(200),
        code => code.parse().ok().filter(|code| (200..300).contains(code)),
    }
}

fn kind(response: &Value, method: &str) -> Result<Kind, String> {
    let content = response.get("content").and_then(Value::as_object);
    let content = content.filter(|content| !content.is_empty() && method != "HEAD");
    let Some(content) = content else {
        return Ok(Kind::Nothing);
    };
    if json_of(response).is_some() {
        return Ok(Kind::Json);
    }
    if content.keys().any(|kind| kind.starts_with("text/")) {
        return Ok(Kind::Text);
    }
    Err("its answer is neither JSON nor text".to_owned())
}

/// Converts the schema of the results, open as in the document.
fn results(document: &Document, schema: &Value) -> Result<Value, String> {
    let mut schemas = Schemas::new(document, Direction::Received);
    let mut converted = schemas.convert(schema)?;
    let definitions: Map<String, Value> = schemas.definitions()?;
    if !definitions.is_empty() {
        converted = json!({ "allOf": [converted], "$defs": definitions });
    }
    Ok(converted)
}

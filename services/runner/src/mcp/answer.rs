//! Turns the answer of an MCP server into the output of an action.

use serde_json::{Map, Value};

/// The output of a call.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// True if the server says that the call failed.
    pub(crate) is_error: bool,
    /// `{"content", "structuredContent"}` as the server wrote them.
    pub(crate) output: Value,
    /// The texts of the content, for an error.
    pub(crate) text: String,
}

impl Answer {
    /// Takes what a result says, and leaves out what concerns the connection.
    pub(crate) fn of(result: &Value) -> Self {
        let mut output = Map::new();
        for key in ["content", "structuredContent"] {
            if let Some(value) = result.get(key) {
                output.insert(key.to_owned(), value.clone());
            }
        }
        let items = result.get("content").and_then(Value::as_array);
        let texts = items.into_iter().flatten();
        let texts = texts.filter_map(|item| item.get("text")?.as_str());
        Self {
            is_error: result.get("isError") == Some(&Value::Bool(true)),
            text: texts.collect::<Vec<_>>().join("\n"),
            output: Value::Object(output),
        }
    }
}

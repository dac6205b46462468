//! A call in its circumstances, as a `[[test]]` of a contract says it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::labels::Labels;

/// A call, and what is on record of its task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestCall {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// The owner's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the task did before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// On whose behalf the task runs.
    pub principal: String,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// An earlier call of the task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Earlier {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// What it returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The labels of what it returned.
    pub output: Labels,
}

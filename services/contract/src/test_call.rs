//! A call with its context, from a `[[test]]` of a contract.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::labels::Labels;
use crate::slot_values::SlotValues;

/// A call and the record of its task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestCall {
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub args: Map<String, Value>,
    /// The task text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The values of the slots of the task.
    #[serde(skip_serializing_if = "SlotValues::is_empty")]
    pub slots: SlotValues,
    /// The earlier calls of the task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// The principal of the task.
    pub principal: String,
    /// The time of the call, in milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// An earlier call of the task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Earlier {
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub args: Map<String, Value>,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The labels of the result.
    pub output: Labels,
    /// True if the call happened whatever the contract says of it, as under an earlier version.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub assumed: bool,
}

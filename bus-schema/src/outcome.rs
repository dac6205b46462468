//! The outcomes of actions and tasks, and the resources that an action used.

use serde::{Deserialize, Serialize};

use crate::Money;

/// The resources that an action used. Values that its executor cannot know are left out of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Wall time.
    pub wall_ms: u32,
    /// Processor time.
    pub cpu_ms: u32,
    /// Bytes of output.
    pub output_bytes: u32,
    /// Tokens of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Bytes of its arguments that left the owner's reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// Money that it moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Money>,
}

/// The outcome of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    /// It succeeded.
    Succeeded,
    /// It reported a failure.
    Failed,
    /// It timed out.
    TimedOut,
    /// It was killed by a halt or by the end of the runner.
    Killed,
}

/// The outcome of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// Every step that the playbook requires succeeded.
    Succeeded,
    /// A step ended with an outcome at which the playbook stops.
    Failed,
    /// The owner cancelled it.
    Cancelled,
}

//! Defines the next thing to do for a task.

use bus_schema::{Time, ToolName};
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::progress::StepRef;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Todo {
    /// Propose an action, and record it with the same `at`, `items` and `attempt`.
    Propose {
        /// The item that it serves.
        at: StepRef,
        /// The number of items of the step.
        items: u16,
        /// The attempt, counted from 1.
        attempt: u8,
        /// The tool to use.
        tool: ToolName,
        /// The arguments: RFC 8785 JSON, at most [`ARGS_BYTES_MAX`](crate::ARGS_BYTES_MAX) bytes.
        args: Vec<u8>,
    },
    /// Fetch the output of this item and ask again with it; if it was erased, fold
    /// [`Fact::Erased`](crate::Fact::Erased) and ask again.
    NeedOutput {
        /// The item whose output is needed.
        at: StepRef,
    },
    /// Ask again at this moment, by bus time.
    Wait {
        /// The moment.
        until: Time,
    },
    /// Finish the task; none of its actions is open.
    Finish {
        /// The outcome.
        outcome: Outcome,
        /// The summary of the playbook, filled in, if it ran to its end.
        summary: Option<String>,
    },
}

//! The reasons that an MCP server gives no result.

use super::package::PackageError;
use crate::exec::ExecError;

/// The reason that a server gives no result.
#[derive(Debug, thiserror::Error)]
pub enum McpFailure {
    /// A package differs from what was signed, or cannot be copied.
    #[error("the server was not started: {0}")]
    Package(#[from] PackageError),
    /// The cage refused.
    #[error("the server was not started")]
    Cage(#[source] ExecError),
    /// It was not ready in time, or said something that is no MCP.
    #[error("the server did not start as an MCP server: {0}")]
    Start(String),
    /// It ended, or was ended because it sent too much.
    #[error("the server ended: {0}")]
    Ended(String),
    /// It failed a short time ago.
    #[error("the server is started again in {wait_s} s, because it failed: {why}")]
    Resting {
        /// The time left.
        wait_s: u64,
        /// The last failure.
        why: String,
    },
    /// More servers run than the bound.
    #[error(
        "more than {0} MCP servers run; stop a task that uses one, or wait until one was idle for its `idle_ms`"
    )]
    TooMany(usize),
    /// The server lists the tool with other texts or another schema, or no longer.
    #[error(
        "the server lists the tool `{tool}` differently than when it was signed: {difference}; if that is right, \
             run `contractual tool import` and sign it again"
    )]
    Changed {
        /// The name by which the server lists the tool.
        tool: String,
        /// The members that differ.
        difference: String,
    },
    /// The server refused the call.
    #[error("the server refused the call: {0}")]
    Refused(String),
    /// It asks for something that no entry permits: sampling, elicitation, or a task of its own.
    #[error("the server wants {0} before it answers, which is not permitted")]
    Demands(&'static str),
    /// The call took longer than granted. The server was ended with all its processes.
    #[error("it timed out; the server was ended")]
    TimedOut,
    /// The call was stopped. The server was ended with all its processes.
    #[error("it was stopped; the server was ended")]
    Stopped,
}

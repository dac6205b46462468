//! Tries tools without a contract, for a person who writes one. No service uses this.

use std::future::Future;

use actor::chain;
use bus_schema::Time;
use serde_json::Value;

use crate::cage::Cage;
use crate::exec::{ExecError, Finished, call};
use crate::installed::Tool;
use crate::now::now;
use crate::tool::ExecTool;
use crate::wire::Observed;
use crate::workspace::Workspace;

/// A completed trial of a program.
#[derive(Debug, PartialEq, Eq)]
pub struct Trial {
    /// The result, as of a real call.
    pub finished: Finished,
    /// The calls that the program asked for and did not get; none if this machine lets no process trace another.
    pub observed: Option<Observed>,
}

/// Runs a program as [`run_until`](crate::run_until) does, in the same cage, and records what the cage refuses; `None`
/// once `stop` is ready.
///
/// # Errors
/// See [`ExecError`].
pub async fn try_program(
    cage: &Cage,
    tool: &ExecTool,
    args: &Value,
    workspace: &Workspace,
    stop: impl Future<Output = ()>,
) -> Result<Option<Trial>, ExecError> {
    let called = call(cage, tool, args, workspace, true, stop).await?;
    Ok(called.map(|(finished, observed)| Trial { finished, observed }))
}

/// Runs a built-in tool on `args` (JSON) at a moment; returns its output or its error in words, and `None` for a program.
#[must_use]
pub fn try_built_in(
    tool: &Tool,
    args: &[u8],
    workspace: &Workspace,
    at: Time,
) -> Option<Result<Vec<u8>, String>> {
    match tool {
        Tool::File(tool) => Some(workspace.call(*tool, args).map_err(|error| chain(&error))),
        Tool::Now => Some(now(args, at).map_err(|error| chain(&error))),
        Tool::Exec(_) | Tool::Mcp(_) => None,
    }
}

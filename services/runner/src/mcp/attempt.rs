//! Calls a tool of an MCP server once without a contract, and records what the cage refuses to the server.

use std::future::Future;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::answer::Answer;
use super::entry::{McpError, McpTool};
use super::failure::McpFailure;
use super::session::Session;
use crate::cage::Cage;
use crate::exec::Finished;
use crate::wire::Observed;
use crate::workspace::Workspace;

/// A completed trial of an MCP server.
#[derive(Debug)]
pub struct ServerTrial {
    /// The output of the action that such a call would be (JSON), or the reason that there is none.
    pub answer: Result<Vec<u8>, String>,
    /// The end of the server's process, without output; none if it did not start.
    pub finished: Option<Finished>,
    /// The calls that the server asked for and did not get; none if this machine lets no process trace another.
    pub observed: Option<Observed>,
}

/// Starts the server of a tool, calls the tool as a real call would, and ends the server; `None` once `stop` is ready.
///
/// # Errors
/// The server lies where tools can write. Nothing ran.
pub async fn try_server(
    cage: &Cage,
    tool: &McpTool,
    args: Map<String, Value>,
    workspace: &Workspace,
    stop: impl Future<Output = ()>,
) -> Result<Option<ServerTrial>, McpError> {
    let mut kept_out = cage.kept_out.clone();
    kept_out.written.push(workspace.place());
    tool.server.keep_out(&kept_out)?;
    let (told, report) = oneshot::channel();
    let mut stop = std::pin::pin!(stop);
    let calling = async {
        let session = Session::start(cage, &tool.server, workspace, Some(told)).await?;
        let wall = Duration::from_millis(tool.server.limits().wall_ms);
        let never = std::future::pending();
        let answer = session.call(&tool.tool, &tool.listed, args, wall, never);
        let answer = answer.await;
        session.end().await;
        answer
    };
    let answer = tokio::select! {
        answer = calling => Some(answer),
        () = &mut stop => None,
    };
    // The report comes once no process of the server is left.
    let (finished, observed) = match report.await {
        Ok((finished, observed)) => (Some(finished), observed),
        Err(_none) => (None, None),
    };
    Ok(answer.map(|answer| ServerTrial {
        answer: output(answer),
        finished,
        observed,
    }))
}

fn output(answer: Result<Value, McpFailure>) -> Result<Vec<u8>, String> {
    let answer = answer.map_err(|failure| actor::chain(&failure))?;
    let answer = Answer::of(&answer);
    if answer.is_error {
        return Err(format!(
            "the server says that the call failed: {}",
            answer.text
        ));
    }
    Ok(answer.output.to_string().into_bytes())
}

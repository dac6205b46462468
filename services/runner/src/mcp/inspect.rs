//! Starts a server once and returns the tools that it lists, so that the owner can sign them.

use super::entry::{McpError, McpServer, McpServerEntry};
use super::failure::McpFailure;
use super::session::{ListedTool, Session};
use crate::cage::Cage;
use crate::wire::KeptOut;
use crate::workspace::Workspace;

/// A server as it was found.
#[derive(Debug)]
pub struct Inspected {
    /// The version of the protocol.
    pub version: String,
    /// Its tools, sorted by name.
    pub tools: Vec<ListedTool>,
}

/// The reason that a server could not be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The entry is not valid.
    #[error(transparent)]
    Entry(#[from] McpError),
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] McpFailure),
}

/// Starts the server in the cage on a workspace, reads its tools, and ends it.
///
/// # Errors
/// The entry differs from the files, or the server does not start.
pub async fn inspect(
    cage: &Cage,
    server: McpServerEntry,
    workspace: &Workspace,
) -> Result<Inspected, InspectError> {
    let server = McpServer::check(server)?;
    server.keep_out(&KeptOut {
        written: vec![workspace.place()],
        own: Vec::new(),
    })?;
    let session = Session::start(cage, &server, workspace).await?;
    let inspected = Inspected {
        version: session.version().to_owned(),
        tools: session.tools(),
    };
    session.end().await;
    Ok(inspected)
}

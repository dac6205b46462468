//! Starts a server once and returns the tools that it lists, so that the owner can sign them.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use contract::CATALOGUE_BYTES_MAX;
use serde::{Deserialize, Serialize};

use super::entry::{McpError, McpServer, McpServerEntry};
use super::failure::McpFailure;
use super::session::{ListedTool, Session};
use crate::cage::Cage;
use crate::temporary::Temporary;
use crate::wire::KeptOut;
use crate::workspace::Workspace;

/// A server as it was found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Inspected {
    /// The server.
    pub server: McpServerEntry,
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
    /// There is no place for its workspace.
    #[error("no workspace could be made")]
    Ground(#[source] std::io::Error),
    /// The entry cannot be read.
    #[error("the entry of the server cannot be read: {0}")]
    Text(String),
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
    let checked = McpServer::check(server.clone())?;
    checked.keep_out(&KeptOut {
        written: vec![workspace.place()],
        own: Vec::new(),
    })?;
    let session = Session::start(cage, &checked, workspace, None).await?;
    let inspected = Inspected {
        server,
        version: session.version().to_owned(),
        tools: session.tools(),
    };
    session.end().await;
    Ok(inspected)
}

/// Pins a server as it is on this machine, and inspects it on an empty workspace below `scratch`.
///
/// # Errors
/// See [`InspectError`].
pub async fn inspect_here(
    server: McpServerEntry,
    scratch: &Path,
) -> Result<Inspected, InspectError> {
    server.is_in_range()?;
    let server = server.pinned()?;
    let ground = Temporary::create(scratch).map_err(InspectError::Ground)?;
    let workspace = ground.path().join("workspace");
    let temporary = ground.path().join("scratch");
    let seen = server
        .paths
        .iter()
        .map(|path| workspace.join(path.path.as_str()));
    for folder in [workspace.clone(), temporary.clone()]
        .into_iter()
        .chain(seen)
    {
        std::fs::create_dir_all(folder).map_err(InspectError::Ground)?;
    }
    let workspace = Workspace::open(&workspace).map_err(InspectError::Ground)?;
    let cage = Cage::new(PathBuf::from("/proc/self/exe")).scratch(temporary);
    inspect(&cage, server, &workspace).await
}

/// Reads a server's entry from standard input, and writes it with digests, and what it lists, to standard output: for
/// programs that only the image of the runner has.
pub(crate) fn inspect_main(scratch: &Path) -> ExitCode {
    let inspected = read().and_then(|server| {
        let ran = actor::runtime::run(inspect_here(server, scratch));
        ran.map_err(InspectError::Ground)?
    });
    let written = match &inspected {
        Ok(found) => {
            let text = serde_json::to_vec(found).unwrap_or_default();
            std::io::stdout().lock().write_all(&text)
        }
        Err(error) => writeln!(std::io::stderr().lock(), "error: {}", actor::chain(error)),
    };
    if inspected.is_ok() && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn read() -> Result<McpServerEntry, InspectError> {
    let mut text = Vec::new();
    let from = std::io::stdin().lock();
    let read = from.take(CATALOGUE_BYTES_MAX as u64).read_to_end(&mut text);
    read.map_err(|error| InspectError::Text(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| InspectError::Text(error.to_string()))
}

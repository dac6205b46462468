//! Starts the process of an MCP server in a cage, and tells how it ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::{oneshot, watch};

use super::entry::McpServer;
use super::failure::McpFailure;
use super::package;
use super::transport::{Pipes, Talk};
use crate::cage::Cage;
use crate::exec::{ExecError, Finished, end, order, report};
use crate::supervised::supervise;
use crate::temporary::Temporary;
use crate::wire::{Added, CallSpec, Observed, Outcome, Place};

/// The time in which a server that closed its output also ends.
pub(super) const ENDS: Duration = Duration::from_secs(2);
/// Most characters of standard error in an error.
const STDERR_CHARS: usize = 400;

/// The folders that the packages of a server run from, and the folder of their copies.
pub(super) type Held = (BTreeMap<PathBuf, PathBuf>, Temporary);

pub(super) async fn held(
    cage: &Cage,
    server: &McpServer,
    place: &Place,
) -> Result<Held, McpFailure> {
    let (signed, scratch) = (server.packages().clone(), cage.scratch.clone());
    let mut kept_out = cage.kept_out.written.clone();
    kept_out.push(place.clone());
    let holding = tokio::task::spawn_blocking(move || {
        let copies = Temporary::create(&scratch).map_err(|e| McpFailure::Start(e.to_string()))?;
        kept_out.push(Place::at(&scratch).map_err(|e| McpFailure::Start(e.to_string()))?);
        let mut packages = BTreeMap::new();
        for (folder, sha256) in signed {
            let used = package::hold(&folder, &sha256, &kept_out, copies.path())?;
            packages.insert(folder, used);
        }
        Ok((packages, copies))
    });
    holding
        .await
        .map_err(|error| McpFailure::Start(error.to_string()))?
}

pub(super) type Launched = (
    Pipes,
    Arc<Talk>,
    watch::Receiver<Option<String>>,
    watch::Sender<bool>,
);

/// The supervisor's report of a trial; dropped without one if the supervisor made none.
pub(super) type Told = oneshot::Sender<(Finished, Option<Observed>)>;

/// Starts the process, and a task that waits for its end. `told` gets the report of a trial.
#[expect(
    clippy::disallowed_methods,
    reason = "the process outlives the call that starts it, and ends with the session"
)]
pub(super) async fn launch(
    cage: &Cage,
    spec: CallSpec,
    copies: Temporary,
    told: Option<Told>,
) -> Result<Launched, McpFailure> {
    let refused = |error: std::io::Error| McpFailure::Cage(ExecError::Launch(error));
    let (to, theirs_in) = pipe::pipe().map_err(refused)?;
    let (theirs_out, from) = pipe::pipe().map_err(refused)?;
    let stdout = Stdio::from(theirs_out.into_blocking_fd().map_err(refused)?);
    let stdin = Stdio::from(theirs_in.into_blocking_fd().map_err(refused)?);
    // The supervisor has no use for its standard error, so that carries the server's standard input.
    let (mut supervisor, mut control) =
        supervise(&cage.launcher, stdout, stdin).map_err(refused)?;
    order(&mut control, &spec).await.map_err(McpFailure::Cage)?;
    let (gone, ended) = watch::channel(None);
    let (stop, mut stopping) = watch::channel(false);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = report(&mut control, 0) => Some(ended),
            // A session that was dropped counts as a stop.
            stopped = stopping.wait_for(|stop| *stop) => {
                drop(stopped);
                None
            }
        };
        let why = match &ended {
            Some(Ok((finished, _))) => last_words(finished),
            Some(Err(error)) => actor::chain(error),
            None => "it was stopped".to_owned(),
        };
        let ended = match ended {
            Some(ended) => ended,
            // The end of what the supervisor reads tells it to end the process, and to report a trial.
            None => match control.shutdown().await {
                Ok(()) => report(&mut control, 0).await,
                Err(error) => Err(ExecError::Lost(error)),
            },
        };
        drop(control);
        if let (Some(told), Ok(ended)) = (told, ended) {
            // Nobody waits for it any more: nothing is lost.
            drop(told.send(ended));
        }
        if let Err(error) = end(&mut supervisor).await {
            tracing::error!(error = actor::chain(&error), "an MCP server may still run");
        }
        drop(copies);
        gone.send_replace(Some(why));
    });
    let talk = Arc::new(Talk::default());
    let pipes = Pipes::new(from, to, Arc::clone(&talk));
    Ok((pipes, talk, ended, stop))
}

/// Completes with the reason once the server has ended.
pub(super) async fn gone(ended: &mut watch::Receiver<Option<String>>) -> String {
    let why = ended.wait_for(Option::is_some).await;
    why.map_or_else(|_| None, |why| why.clone())
        .unwrap_or_else(|| "it was stopped".to_owned())
}

/// Returns the failure of a server that did not become ready. Its own last words say more than the client's error, if it
/// has ended.
pub(super) async fn unready(
    talk: &Talk,
    mut ended: watch::Receiver<Option<String>>,
    error: &str,
) -> McpFailure {
    let words = tokio::time::timeout(ENDS, gone(&mut ended)).await.ok();
    let why = talk.fault().unwrap_or_else(|| error.to_owned());
    let all = [Some(why), words, talk.printed()];
    McpFailure::Start(all.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// Says how a server ended, with the end of its standard error.
fn last_words(finished: &Finished) -> String {
    let how = match finished.outcome {
        Outcome::Succeeded => "it exited with code 0".to_owned(),
        Outcome::Failed { code } => format!("it exited with code {code}"),
        Outcome::TimedOut => "it timed out".to_owned(),
        Outcome::Killed { signal } => format!("it was ended by signal {signal}"),
        Outcome::OutputExceeded => "it wrote too much".to_owned(),
        Outcome::ProcessesExceeded => "it had more processes than `processes_max`".to_owned(),
        Outcome::AddedExceeded(Added::Bytes) => {
            "the folders that it may write grew by more than `added_bytes_max`, or it hid them"
                .to_owned()
        }
        Outcome::AddedExceeded(Added::Files) => {
            "the folders that it may write grew by more than `added_files_max`".to_owned()
        }
        Outcome::NoRoom => "the volume that it may write was nearly full".to_owned(),
    };
    let stderr = String::from_utf8_lossy(&finished.diagnostics);
    let plain: Vec<char> = stderr
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let end = plain.len().saturating_sub(STDERR_CHARS);
    let text: String = plain.get(end..).unwrap_or_default().iter().collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        how
    } else {
        format!("{how}: {text}")
    }
}

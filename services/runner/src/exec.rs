//! Runs one `exec` tool in a cage and returns its outcome.

use std::collections::BTreeMap;
use std::future::Future;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Child;

use crate::args_error::ArgsError;
use crate::cage::Cage;
use crate::supervised::supervise;
use crate::tool::ExecTool;
use crate::wire::{
    CallSpec, FRAME_BYTES_MAX, Missing, Observed, Outcome, Refusal, Report, STDERR_BYTES_MAX, frame,
};
use crate::workspace::Workspace;

/// The time that a supervisor may take after the timeout, to kill, reap and report.
const GRACE_MS: u64 = 10_000;

/// A completed call.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// The outcome.
    pub outcome: Outcome,
    /// Standard output, at most the tool's bound.
    pub output: Vec<u8>,
    /// Standard error, at most 64 KiB.
    pub diagnostics: Vec<u8>,
    /// True if one of the two is truncated.
    pub truncated: bool,
    /// Wall clock from the start of the cage until no process was left.
    pub wall_ms: u64,
    /// Processor time of all processes of the call, in steps of 10 ms.
    pub cpu_ms: u64,
}

/// The reason that a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The arguments do not fit the tool. Nothing ran.
    #[error("the arguments do not fit the tool; correct them and propose again")]
    Args(#[from] ArgsError),
    /// The cage could not be set up. Nothing ran.
    #[error("the tool was not run; restore the isolation of this machine first")]
    Refused(#[source] Refusal),
    /// The program is not the one that was signed. Nothing ran.
    #[error(
        "the tool was not run, because its program is not what the owner signed; put the signed file back, or run \
         `contractual tool pin`, `contractual tool add`, and sign the contracts again"
    )]
    Changed(#[source] Refusal),
    /// A path of the arguments cannot be handed to the program. Nothing ran.
    #[error("the tool was not run; correct the path and propose again")]
    Path(#[source] Refusal),
    /// A folder that the entry of the tool names cannot be read. Nothing ran.
    #[error("the tool was not run; put the folder back, or let the owner sign the tool without it")]
    Folder(#[source] Refusal),
    /// The supervisor could not be started. Nothing ran.
    #[error("the supervisor could not be started; check the launcher")]
    Launch(#[source] std::io::Error),
    /// The supervisor ended without a report, or not in time: the outcome is unknown.
    #[error("the supervisor did not report; treat the outcome as unknown")]
    Lost(#[source] std::io::Error),
}

/// Runs `tool` with `args` on `workspace`.
///
/// No process of the call exists when this returns. If the future is dropped or this process dies, the
/// supervisor reads EOF on its input and kills them all.
///
/// # Errors
/// See [`ExecError`]; a program that fails is not an error but an [`Outcome`].
pub async fn run(
    cage: &Cage,
    tool: &ExecTool,
    args: &Value,
    workspace: &Workspace,
) -> Result<Finished, ExecError> {
    let ended = run_until(cage, tool, args, workspace, std::future::pending()).await?;
    ended.ok_or_else(|| lost("the call was stopped"))
}

/// Does the same as [`run`], but kills the call without a result once `stop` is ready.
///
/// # Errors
/// See [`ExecError`].
pub async fn run_until(
    cage: &Cage,
    tool: &ExecTool,
    args: &Value,
    workspace: &Workspace,
    stop: impl Future<Output = ()>,
) -> Result<Option<Finished>, ExecError> {
    let called = call(cage, tool, args, workspace, false, stop).await?;
    Ok(called.map(|(finished, _)| finished))
}

/// Runs a call or a `trial`, and returns what a trial saw.
pub(crate) async fn call(
    cage: &Cage,
    tool: &ExecTool,
    args: &Value,
    workspace: &Workspace,
    trial: bool,
    stop: impl Future<Output = ()>,
) -> Result<Option<(Finished, Option<Observed>)>, ExecError> {
    let filled = tool.fill(args, Some(workspace))?;
    let spec = CallSpec {
        scratch: cage.scratch.clone(),
        workspace: workspace.place(),
        writable: tool.writable(),
        folders: tool.folders().to_vec(),
        kept_out: cage.kept_out.clone(),
        signed: tool.signed(),
        argv: filled.argv,
        paths: filled.paths,
        packages: Vec::new(),
        env: BTreeMap::new(),
        serves: false,
        limits: tool.limits(),
        trial,
    };
    let started = if trial {
        supervise(&cage.launcher, Stdio::null(), Stdio::null())
    } else {
        cage.waiting.take(&cage.launcher)
    };
    let (mut supervisor, mut control) = started.map_err(ExecError::Launch)?;
    let bound = Duration::from_millis(tool.limits().wall_ms.saturating_add(GRACE_MS));
    let talk = async move {
        order(&mut control, &spec).await?;
        report(&mut control, tool.limits().output_bytes_max).await
    };
    // The first one to be ready drops the other, and with it the supervisor's lifeline.
    let finished = tokio::select! {
        talked = tokio::time::timeout(bound, talk) => {
            Some(talked.map_err(|late| ExecError::Lost(late.into()))??)
        }
        () = stop => None,
    };
    end(&mut supervisor).await?;
    Ok(finished)
}

/// Waits for a supervisor that only has to kill and reap.
pub(crate) async fn end(supervisor: &mut Child) -> Result<(), ExecError> {
    let bound = Duration::from_millis(GRACE_MS);
    let ended = tokio::time::timeout(bound, supervisor.wait()).await;
    ended
        .map_err(|late| ExecError::Lost(late.into()))?
        .map_err(ExecError::Lost)?;
    Ok(())
}

/// Sends the call to the supervisor.
pub(crate) async fn order(control: &mut UnixStream, spec: &CallSpec) -> Result<(), ExecError> {
    let spec = frame(spec).map_err(ExecError::Launch)?;
    control.write_all(&spec).await.map_err(ExecError::Lost)
}

/// Reads the report of the supervisor.
pub(crate) async fn report(
    from: &mut UnixStream,
    output_bytes_max: usize,
) -> Result<(Finished, Option<Observed>), ExecError> {
    let length = from.read_u32_le().await.map_err(ExecError::Lost)?;
    if length > FRAME_BYTES_MAX {
        return Err(lost("the report exceeds 1 MiB"));
    }
    let json = read_exactly(from, usize::try_from(length).unwrap_or(usize::MAX)).await?;
    let report: Report = serde_json::from_slice(&json).map_err(|e| ExecError::Lost(e.into()))?;
    match report {
        Report::Refused(refusal) => Err(refused(refusal)),
        Report::Ran {
            outcome,
            truncated,
            wall_ms,
            cpu_ms,
            stdout_bytes,
            stderr_bytes,
            observed,
        } => {
            if stdout_bytes > output_bytes_max || stderr_bytes > STDERR_BYTES_MAX {
                return Err(lost("the report exceeds the bounds of the call"));
            }
            let output = read_exactly(from, stdout_bytes).await?;
            let diagnostics = read_exactly(from, stderr_bytes).await?;
            let finished = Finished {
                outcome,
                output,
                diagnostics,
                truncated,
                wall_ms,
                cpu_ms,
            };
            Ok((finished, observed))
        }
    }
}

fn refused(refusal: Refusal) -> ExecError {
    match refusal.missing {
        Missing::Signed => ExecError::Changed(refusal),
        Missing::Path => ExecError::Path(refusal),
        Missing::Folder => ExecError::Folder(refusal),
        Missing::Stage
        | Missing::Landlock
        | Missing::Seccomp
        | Missing::Limits
        | Missing::Workspace
        | Missing::Temporary
        | Missing::Program => ExecError::Refused(refusal),
    }
}

async fn read_exactly(from: &mut UnixStream, count: usize) -> Result<Vec<u8>, ExecError> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).await.map_err(ExecError::Lost)?;
    Ok(bytes)
}

fn lost(why: &'static str) -> ExecError {
    ExecError::Lost(std::io::Error::other(why))
}

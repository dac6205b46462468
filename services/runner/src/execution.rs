//! Executes claimed actions and returns their outcomes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actor::{Clock, chain};
use bus_schema::{
    ActionOutcome, CONTENT_BYTES_MAX, ContractFolders, DraftGrant, Money, TaskId, Usage,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cage::Cage;
use crate::disk::Room;
use crate::exec::{ExecError, Finished, run_until};
use crate::files::FileTool;
use crate::folders::Folders;
use crate::installed::{Installed, Tool};
use crate::mcp::{Answer, McpFailure, McpTool, Servers};
use crate::now::now;
use crate::state::Gate;
use crate::tool::ExecTool;
use crate::wire::{Added, Outcome};
use crate::workspace::Workspace;

/// The executor of actions: a workspace, a cage, and the signals that stop them.
#[derive(Debug)]
pub struct Execution {
    /// The folders that file tools and programs see.
    pub folders: Arc<Folders>,
    /// The cage in which programs run.
    pub cage: Cage,
    /// The MCP servers that run in it.
    pub servers: Servers,
    /// The tools of the newest catalogue that the owner signed.
    pub installed: RwLock<Arc<Installed>>,
    /// Halts and revocations.
    pub gate: watch::Receiver<Gate>,
    /// Becomes true when the runner is asked to stop.
    pub stop: watch::Receiver<bool>,
    /// Measures wall time.
    pub clock: Clock,
}

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The outcome.
    pub outcome: ActionOutcome,
    /// The usage. Processor time is measured for programs only; tokens, money and sent bytes are known only for
    /// actions that never began.
    pub usage: Usage,
    /// The output of the tool, or `{"error"}` of a file tool and `{"error", "code", "stderr"}` of a program
    /// that did not succeed; never more than the grant allows.
    pub output: Vec<u8>,
}

impl Execution {
    /// Executes `draft`, once, with `args`, in the folders of its contract. An earlier halt, stop or revocation prevents the start. A halt, a
    /// cancellation of the task or a stop kills a running program. A file tool always runs to its end.
    ///
    /// `None`: the outcome is unknown, so no event may report one.
    pub async fn perform(
        &self,
        draft: &DraftGrant,
        folders: &ContractFolders,
        args: &[u8],
    ) -> Option<Done> {
        let started = self.clock.elapsed();
        let installed = self.installed();
        let tool = installed.get(&draft.tool, &draft.tool_digest);
        let mut done = match self.workspace(draft, folders, tool) {
            Err(not_begun) => Some(not_begun),
            Ok(workspace) => match tool {
                Some(Tool::File(tool)) => self.file(workspace, *tool, draft, args).await,
                Some(Tool::Now) => Some(match now(args, self.clock.wall()) {
                    Ok(output) => succeeded(output),
                    Err(error) => failed(&chain(&error)),
                }),
                Some(Tool::Exec(tool)) => Box::pin(self.exec(&workspace, tool, draft, args)).await,
                Some(Tool::Mcp(tool)) => {
                    Some(Box::pin(self.mcp(&workspace, tool, draft, args)).await)
                }
                None => {
                    let text = "the tool is not installed here";
                    Some(not_begun(draft, ActionOutcome::Failed, text))
                }
            },
        }?;
        let bound = output_bytes_max(draft);
        if done.output.len() > bound {
            let text = format!("the output is larger than the {bound} bytes that were granted");
            done.outcome = ActionOutcome::Failed;
            done.output = error(&text, bound);
        }
        let wall = self.clock.elapsed().saturating_sub(started);
        done.usage.wall_ms = u32::try_from(wall.as_millis()).unwrap_or(u32::MAX);
        done.usage.output_bytes = u32::try_from(done.output.len()).unwrap_or(u32::MAX);
        Some(done)
    }

    /// Returns the tools.
    pub(crate) fn installed(&self) -> Arc<Installed> {
        let installed = self.installed.read();
        Arc::clone(&installed.unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the tools; actions that run keep theirs.
    pub(crate) fn install(&self, tools: Arc<Installed>) {
        let installed = self.installed.write();
        *installed.unwrap_or_else(PoisonError::into_inner) = tools;
    }

    /// Returns the workspace of the action; the result of one that must not begin.
    fn workspace(
        &self,
        draft: &DraftGrant,
        folders: &ContractFolders,
        tool: Option<&Tool>,
    ) -> Result<Workspace, Done> {
        let nothing =
            |outcome, why: &str| not_begun(draft, outcome, &format!("nothing was done: {why}"));
        let failed = |why: &str| nothing(ActionOutcome::Failed, why);
        if self.barred(draft) {
            let why = "it was stopped before it began";
            return Err(nothing(ActionOutcome::Killed, why));
        }
        let workspace = self.folders.of(folders);
        let workspace = workspace.map_err(|absent| failed(&absent.to_string()))?;
        if tool.is_some_and(Tool::adds) && !self.has_room(&workspace) {
            let why = "a volume that it may write is nearly full; free some space";
            return Err(failed(why));
        }
        let place = workspace.is_in_place();
        place.map_err(|lost| failed(&lost.to_string()))?;
        Ok(workspace)
    }

    fn barred(&self, draft: &DraftGrant) -> bool {
        let gate = self.gate.borrow();
        *self.stop.borrow() || gate.stops(draft.task) || gate.revoked.contains(&draft.contract)
    }

    /// Returns true if the volumes for written files have enough free space. A volume that cannot be read counts as
    /// full.
    fn has_room(&self, workspace: &Workspace) -> bool {
        let rooms = [workspace.room(), Room::at(&self.cage.scratch)];
        rooms
            .into_iter()
            .all(|room| room.is_ok_and(Room::is_enough))
    }

    /// Completes once everything is halted, the task is cancelled, or the runner stops.
    async fn stopped(&self, task: TaskId) {
        let (mut gate, mut stop) = (self.gate.clone(), self.stop.clone());
        // A closed channel counts as a stop.
        tokio::select! {
            halted = gate.wait_for(|gate| gate.stops(task)) => drop(halted),
            stopping = stop.wait_for(|stop| *stop) => drop(stopping),
        }
    }

    async fn file(
        &self,
        workspace: Workspace,
        tool: FileTool,
        draft: &DraftGrant,
        args: &[u8],
    ) -> Option<Done> {
        let args = args.to_vec();
        let late = Arc::new(AtomicBool::new(false));
        let is_late = Arc::clone(&late);
        let calling =
            tokio::task::spawn_blocking(move || workspace.call_until(tool, &args, &is_late));
        let bound = Duration::from_millis(u64::from(draft.wall_ms));
        let called = tokio::time::timeout(bound, calling).await;
        late.store(called.is_err(), Ordering::Relaxed);
        match called {
            Ok(Ok(Ok(output))) => Some(succeeded(output)),
            Ok(Ok(Err(error))) => Some(failed(&chain(&error))),
            Ok(Err(panic)) => {
                tracing::error!(
                    error = chain(&panic),
                    "a file tool panicked: outcome unknown"
                );
                None
            }
            Err(_late) if tool.changes() => {
                tracing::error!("a file tool timed out: outcome unknown");
                None
            }
            Err(_late) => Some(ended(ActionOutcome::TimedOut, "it timed out")),
        }
    }

    async fn exec(
        &self,
        workspace: &Workspace,
        tool: &ExecTool,
        draft: &DraftGrant,
        args: &[u8],
    ) -> Option<Done> {
        let Ok(args) = bus_schema::json::parse(args, CONTENT_BYTES_MAX) else {
            let text = "the arguments are not JSON";
            return Some(not_begun(draft, ActionOutcome::Failed, text));
        };
        let bound = output_bytes_max(draft);
        let tool = tool.within(u64::from(draft.wall_ms), bound);
        let ran = run_until(
            &self.cage,
            &tool,
            &args,
            workspace,
            self.stopped(draft.task),
        )
        .await;
        match ran {
            Ok(Some(finished)) => Some(reported(finished, bound)),
            Ok(None) => Some(ended(
                ActionOutcome::Killed,
                "it was killed: everything was halted, its task was cancelled, or the runner stopped",
            )),
            Err(lost @ ExecError::Lost(_)) => {
                tracing::error!(error = chain(&lost), "an outcome is unknown");
                None
            }
            Err(
                error @ (ExecError::Args(_)
                | ExecError::Refused(_)
                | ExecError::Changed(_)
                | ExecError::Path(_)
                | ExecError::Folder(_)
                | ExecError::Launch(_)),
            ) => {
                tracing::warn!(error = chain(&error), "a program did not start");
                Some(not_begun(draft, ActionOutcome::Failed, &chain(&error)))
            }
        }
    }

    /// Calls a tool of an MCP server. Each end of a call is known, because a server that does not answer is ended.
    async fn mcp(
        &self,
        workspace: &Workspace,
        tool: &McpTool,
        draft: &DraftGrant,
        args: &[u8],
    ) -> Done {
        let Ok(Value::Object(args)) = bus_schema::json::parse(args, CONTENT_BYTES_MAX) else {
            let text = "the arguments are not a JSON object";
            return not_begun(draft, ActionOutcome::Failed, text);
        };
        let wall = tool.server.limits().wall_ms.min(u64::from(draft.wall_ms));
        let stop = self.stopped(draft.task);
        let called = self.servers.call(
            &self.cage,
            workspace,
            tool,
            args,
            Duration::from_millis(wall.max(1)),
            stop,
        );
        let bound = output_bytes_max(draft).min(tool.server.limits().output_bytes_max);
        match called.await.map(|result| Answer::of(&result)) {
            Ok(answer) if answer.is_error => {
                let output = json!({ "error": answer.text, "result": answer.output });
                let output = output.to_string().into_bytes();
                let mut done = failed(&answer.text);
                if output.len() <= bound {
                    done.output = output;
                } else {
                    done.output = diagnosed(
                        "the server says that the call failed",
                        None,
                        answer.text.as_bytes(),
                        bound,
                    );
                }
                done
            }
            Ok(answer) => {
                let output = answer.output.to_string().into_bytes();
                if output.len() <= bound {
                    succeeded(output)
                } else {
                    failed(&format!(
                        "the answer of the server is larger than {bound} bytes"
                    ))
                }
            }
            Err(failure) => {
                tracing::warn!(error = chain(&failure), "a call of an MCP server failed");
                unanswered(draft, &failure)
            }
        }
    }
}

impl Tool {
    /// Returns true if it may take disk space.
    const fn adds(&self) -> bool {
        match self {
            Self::File(tool) => tool.adds(),
            Self::Exec(_) | Self::Mcp(_) => true,
            Self::Now => false,
        }
    }
}

/// Returns the result of a call that an MCP server did not answer.
fn unanswered(draft: &DraftGrant, failure: &McpFailure) -> Done {
    let text = chain(failure);
    match failure {
        McpFailure::TimedOut => ended(ActionOutcome::TimedOut, &text),
        McpFailure::Stopped => ended(ActionOutcome::Killed, &text),
        McpFailure::Ended(_) | McpFailure::Refused(_) | McpFailure::Demands(_) => failed(&text),
        McpFailure::Package(_)
        | McpFailure::Cage(_)
        | McpFailure::Start(_)
        | McpFailure::Resting { .. }
        | McpFailure::TooMany(_)
        | McpFailure::Changed { .. } => not_begun(draft, ActionOutcome::Failed, &text),
    }
}

fn output_bytes_max(draft: &DraftGrant) -> usize {
    let granted = usize::try_from(draft.output_bytes_max).unwrap_or(usize::MAX);
    granted.min(CONTENT_BYTES_MAX)
}

fn succeeded(output: Vec<u8>) -> Done {
    Done {
        outcome: ActionOutcome::Succeeded,
        usage: Usage::default(),
        output,
    }
}

fn failed(text: &str) -> Done {
    ended(ActionOutcome::Failed, text)
}

fn ended(outcome: ActionOutcome, text: &str) -> Done {
    Done {
        outcome,
        usage: Usage::default(),
        output: json!({ "error": text }).to_string().into_bytes(),
    }
}

/// Returns the result of an action that never began. It used no tokens, no money and no bytes; for any other
/// action the runner cannot know these amounts.
fn not_begun(draft: &DraftGrant, outcome: ActionOutcome, text: &str) -> Done {
    let nothing = |money: Money| Money { minor: 0, ..money };
    let usage = Usage {
        tokens: Some(0),
        bytes_out: Some(0),
        spend: draft.counts.spend.map(nothing),
        ..Usage::default()
    };
    Done {
        usage,
        ..ended(outcome, text)
    }
}

fn reported(finished: Finished, bound: usize) -> Done {
    let code = match finished.outcome {
        Outcome::Failed { code } => Some(code),
        Outcome::Succeeded
        | Outcome::TimedOut
        | Outcome::Killed { .. }
        | Outcome::OutputExceeded
        | Outcome::ProcessesExceeded
        | Outcome::AddedExceeded(_)
        | Outcome::NoRoom => None,
    };
    let (outcome, text) = match finished.outcome {
        Outcome::Succeeded => (ActionOutcome::Succeeded, String::new()),
        Outcome::Failed { code } => (
            ActionOutcome::Failed,
            format!("the program ended with code {code}"),
        ),
        Outcome::TimedOut => (ActionOutcome::TimedOut, "it timed out".to_owned()),
        Outcome::Killed { signal } => (
            ActionOutcome::Failed,
            format!("the program was ended by signal {signal}"),
        ),
        Outcome::OutputExceeded => (
            ActionOutcome::Failed,
            "the program wrote more output than was granted".to_owned(),
        ),
        Outcome::ProcessesExceeded => (
            ActionOutcome::Failed,
            "the program had more processes than its tool allows".to_owned(),
        ),
        Outcome::AddedExceeded(Added::Bytes) => (
            ActionOutcome::Failed,
            "the folders that the program may write grew by more bytes than its tool allows \
             (`added_bytes_max`), or hid them; what it wrote in the workspace is still there"
                .to_owned(),
        ),
        Outcome::AddedExceeded(Added::Files) => (
            ActionOutcome::Failed,
            "the folders that the program may write grew by more files than its tool allows \
             (`added_files_max`); what it wrote in the workspace is still there"
                .to_owned(),
        ),
        Outcome::NoRoom => (
            ActionOutcome::Failed,
            "the program was ended because the volume that it may write was nearly full; free some space"
                .to_owned(),
        ),
    };
    let output = match finished.outcome {
        Outcome::Succeeded => finished.output,
        Outcome::Failed { .. }
        | Outcome::TimedOut
        | Outcome::Killed { .. }
        | Outcome::OutputExceeded
        | Outcome::ProcessesExceeded
        | Outcome::AddedExceeded(_)
        | Outcome::NoRoom => diagnosed(&text, code, &finished.diagnostics, bound),
    };
    Done {
        outcome,
        usage: Usage {
            cpu_ms: u32::try_from(finished.cpu_ms).unwrap_or(u32::MAX),
            ..Usage::default()
        },
        output,
    }
}

/// Encodes `{"error", "code", "stderr"}` with as much of the end of standard error as fits, or less.
fn diagnosed(text: &str, code: Option<i32>, stderr: &[u8], bound: usize) -> Vec<u8> {
    let mut rest = stderr;
    loop {
        let stderr = String::from_utf8_lossy(rest);
        let output = json!({ "error": text, "code": code, "stderr": stderr }).to_string();
        if output.len() <= bound {
            return output.into_bytes();
        }
        if rest.is_empty() {
            return error(text, bound);
        }
        rest = rest.get(rest.len().div_ceil(2)..).unwrap_or_default();
    }
}

/// Encodes `{"error"}`, or nothing if even that exceeds the grant.
fn error(text: &str, bound: usize) -> Vec<u8> {
    let output = Value::to_string(&json!({ "error": text })).into_bytes();
    if output.len() <= bound {
        output
    } else {
        Vec::new()
    }
}

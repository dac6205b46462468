//! Calls tools and returns their outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor::{Clock, chain};
use bus_schema::{ActionOutcome, CONTENT_BYTES_MAX, ContractFolders, DraftGrant, Usage};
use executor::{Done, Stops, error_text, output_bytes_max};
use serde_json::{Value, json};

use crate::cage::Cage;
use crate::disk::Room;
use crate::exec::{ExecError, Finished, run_until};
use crate::files::FileTool;
use crate::folders::Folders;
use crate::installed::Tool;
use crate::mcp::{Answer, McpFailure, McpTool, Servers};
use crate::now::now;
use crate::tool::ExecTool;
use crate::wire::{Added, Outcome};
use crate::workspace::Workspace;

/// The folders, the cage and the servers in which tools are called.
#[derive(Debug)]
pub struct Runner {
    /// The folders that file tools and programs see.
    pub folders: Arc<Folders>,
    /// The cage in which programs run.
    pub cage: Cage,
    /// The MCP servers that run in it.
    pub servers: Servers,
    /// The clock of `time.now`.
    pub clock: Clock,
    /// Programs at once.
    pub programs: usize,
}

impl Runner {
    /// Calls a tool in the folders of the contract. A halt, a cancellation of the task or a stop kills a running program. A
    /// file tool always runs to its end.
    ///
    /// `None`: the outcome is unknown.
    pub(crate) async fn perform(
        &self,
        tool: &Tool,
        draft: &DraftGrant,
        folders: &ContractFolders,
        args: &[u8],
        stops: &Stops,
    ) -> Option<Done> {
        let workspace = match self.workspace(tool, folders) {
            Ok(workspace) => workspace,
            Err(why) => {
                let text = format!("nothing was done: {why}");
                return Some(Done::not_begun(draft, ActionOutcome::Failed, &text));
            }
        };
        match tool {
            Tool::File(tool) => self.file(workspace, *tool, draft, args).await,
            Tool::Now => Some(match now(args, self.clock.wall()) {
                Ok(output) => Done::succeeded(output),
                Err(error) => Done::failed(&chain(&error)),
            }),
            Tool::Exec(tool) => Box::pin(self.exec(&workspace, tool, draft, args, stops)).await,
            Tool::Mcp(tool) => Some(Box::pin(self.mcp(&workspace, tool, draft, args, stops)).await),
        }
    }

    /// Returns the workspace of the action.
    ///
    /// # Errors
    /// The reason that it must not begin.
    fn workspace(&self, tool: &Tool, folders: &ContractFolders) -> Result<Workspace, String> {
        let workspace = self.folders.of(folders);
        let workspace = workspace.map_err(|absent| absent.to_string())?;
        if tool.adds() && !self.has_room(&workspace) {
            return Err("a volume that it may write is nearly full; free some space".to_owned());
        }
        workspace.is_in_place().map_err(|lost| lost.to_string())?;
        Ok(workspace)
    }

    /// Returns true if the volumes for written files have enough free space. A volume that cannot be read counts as
    /// full.
    fn has_room(&self, workspace: &Workspace) -> bool {
        let rooms = [workspace.room(), Room::at(&self.cage.scratch)];
        rooms
            .into_iter()
            .all(|room| room.is_ok_and(Room::is_enough))
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
            Ok(Ok(Ok(output))) => Some(Done::succeeded(output)),
            Ok(Ok(Err(error))) => Some(Done::failed(&chain(&error))),
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
            Err(_late) => Some(Done::ended(ActionOutcome::TimedOut, "it timed out")),
        }
    }

    async fn exec(
        &self,
        workspace: &Workspace,
        tool: &ExecTool,
        draft: &DraftGrant,
        args: &[u8],
        stops: &Stops,
    ) -> Option<Done> {
        let Ok(args) = bus_schema::json::parse(args, CONTENT_BYTES_MAX) else {
            let text = "the arguments are not JSON";
            return Some(Done::not_begun(draft, ActionOutcome::Failed, text));
        };
        let bound = output_bytes_max(draft);
        let tool = tool.within(u64::from(draft.wall_ms), bound);
        let ran = run_until(
            &self.cage,
            &tool,
            &args,
            workspace,
            stops.stopped(draft.task),
        )
        .await;
        match ran {
            Ok(Some(finished)) => Some(reported(finished, bound)),
            Ok(None) => Some(Done::ended(
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
                Some(Done::not_begun(
                    draft,
                    ActionOutcome::Failed,
                    &chain(&error),
                ))
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
        stops: &Stops,
    ) -> Done {
        let Ok(Value::Object(args)) = bus_schema::json::parse(args, CONTENT_BYTES_MAX) else {
            let text = "the arguments are not a JSON object";
            return Done::not_begun(draft, ActionOutcome::Failed, text);
        };
        let wall = tool.server.limits().wall_ms.min(u64::from(draft.wall_ms));
        let stop = stops.stopped(draft.task);
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
                let mut done = Done::failed(&answer.text);
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
                    Done::succeeded(output)
                } else {
                    Done::failed(&format!(
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
        McpFailure::TimedOut => Done::ended(ActionOutcome::TimedOut, &text),
        McpFailure::Stopped => Done::ended(ActionOutcome::Killed, &text),
        McpFailure::Ended(_) | McpFailure::Refused(_) | McpFailure::Demands(_) => {
            Done::failed(&text)
        }
        McpFailure::Package(_)
        | McpFailure::Cage(_)
        | McpFailure::Start(_)
        | McpFailure::Resting { .. }
        | McpFailure::TooMany(_)
        | McpFailure::Changed { .. } => Done::not_begun(draft, ActionOutcome::Failed, &text),
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
        stored: 0,
        sent: None,
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
            return error_text(text, bound);
        }
        rest = rest.get(rest.len().div_ceil(2)..).unwrap_or_default();
    }
}

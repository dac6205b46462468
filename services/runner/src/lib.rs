#![doc = include_str!("../README.md")]

mod args_error;
mod asked;
mod cage;
mod core;
mod digest_cache;
mod disk;
mod exec;
mod executable;
mod execution;
mod file_error;
mod file_messages;
mod files;
mod folders;
mod gate;
mod given_path;
mod halt;
mod held;
mod installed;
mod landlock_rules;
mod ledger;
mod limits;
mod listing;
mod mcp;
mod now;
mod path;
mod pin;
mod probe;
mod processes;
mod read_folder;
mod replaced;
mod service;
mod sha256;
mod state;
mod streams;
mod supervisor;
mod syscalls;
mod temporary;
mod tool;
mod tracer;
mod trial;
mod view;
mod wire;
mod workspace;

use std::ffi::OsStr;
use std::process::ExitCode;

pub use crate::core::{Effect, Input, RunnerCore};
pub use args_error::ArgsError;
pub use asked::AskedCall;
pub use cage::{Cage, cage_main};
pub use digest_cache::{DIGESTS, DigestCache};
pub use exec::{ExecError, Finished, run, run_until};
pub use executable::{PinError, SYSTEM_PATH};
pub use execution::{Done, Execution};
pub use file_error::FileError;
pub use file_messages::{
    Deleted, LeftOut, LeftOutReason, ListArgs, ListedFile, Listing, NotKept, PathArgs, WriteArgs,
    Written,
};
pub use files::{
    DiffArgs, Diffed, FileTool, Found, FoundLine, JsonArgs, JsonValues, MoveArgs, Moved, PatchArgs,
    PointedValue, SearchArgs, TRASH, Table, TableArgs,
};
pub use folders::{AbsentFolder, Folders, FoldersError};
pub use held::{Lost, RESTART};
pub use installed::{Installed, InstalledError, Tool};
pub use mcp::{
    InspectError, Inspected, ListedTool, McpError, McpFailure, McpPath, McpServer, McpServerEntry,
    McpTool, McpToolEntry, PackageError, Servers, inspect,
};
pub use path::{PathError, WorkspacePath};
pub use pin::{Pinned, PinnedTool, pin};
pub use probe::{ProbeError, Probed, probe_main};
pub use read_folder::FolderError;
pub use service::{Config, Runner};
pub use state::{Gate, State};
pub use supervisor::supervisor_main;
pub use tool::{Arg, ExecTool, ExecToolEntry, Kind, ToolError};
pub use tracer::tracer_main;
pub use trial::{Trial, try_built_in, try_program};
pub use wire::{Added, Limits, Missing, Observed, Outcome, Refusal};
pub use workspace::{FILE_BYTES_MAX, Workspace};

/// The tools that ship as entries for common programs, without digests: a JSON list, as in a catalogue.
pub const SHELF: &str = include_str!("../shelf.json");

/// First argument of the supervisor stage.
pub const SUPERVISOR_STAGE: &str = "cage-supervisor";
/// First argument of the stage between the two in a trial.
pub const TRACER_STAGE: &str = "cage-tracer";
/// First argument of the cage stage.
pub const CAGE_STAGE: &str = "cage";
/// First argument of the program that the self-test runs inside the cage.
pub const PROBE_STAGE: &str = "cage-probe";

/// First argument of the runner that pins a catalogue from standard input, for programs that only its image has.
pub const PIN_STAGE: &str = "pin";
/// Second argument of that runner to replace digests that are there.
const PIN_AGAIN: &str = "--again";

/// Runs the stage that the host binary's first argument names. `None` if it names no stage.
///
/// The host calls this before it starts a thread: the stages confine the calling thread and then execute.
pub fn stage(first_argument: &OsStr) -> Option<ExitCode> {
    match first_argument.to_str() {
        Some(SUPERVISOR_STAGE) => Some(supervisor_main()),
        Some(TRACER_STAGE) => Some(tracer_main()),
        Some(CAGE_STAGE) => Some(cage_main()),
        Some(PROBE_STAGE) => Some(probe_main()),
        _ => None,
    }
}

/// Runs a stage of the cage if the first argument names one, the actor otherwise: the service's whole `main`.
#[must_use]
pub fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    if first.as_deref() == Some(OsStr::new(PIN_STAGE)) {
        let again = std::env::args_os().nth(2);
        return pin::pin_main(again.as_deref() == Some(OsStr::new(PIN_AGAIN)));
    }
    first
        .and_then(|first| stage(&first))
        .unwrap_or_else(actor::main::<Runner>)
}

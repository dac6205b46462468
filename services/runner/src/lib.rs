#![doc = include_str!("../README.md")]

mod args_error;
mod asked;
mod cage;
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
mod staged;
mod stages;
mod streams;
mod supervised;
mod supervisor;
mod syscalls;
mod temporary;
mod tool;
mod tracer;
mod trial;
mod view;
mod wire;
mod workspace;

pub use args_error::ArgsError;
pub use asked::AskedCall;
pub use cage::{Cage, cage_main};
pub use digest_cache::{DIGESTS, DigestCache};
pub use exec::{ExecError, Finished, run, run_until};
pub use executable::{PinError, SYSTEM_PATH};
pub use execution::Runner;
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
pub use installed::{Installed, InstalledError, Tool, read_tools};
pub use mcp::{
    InspectError, Inspected, ListedTool, McpError, McpFailure, McpPath, McpServer, McpServerEntry,
    McpTool, McpToolEntry, PackageError, ServerTrial, Servers, inspect, inspect_here, try_server,
};
pub use path::{PathError, WorkspacePath};
pub use pin::{Pinned, PinnedTool, pin};
pub use probe::{ProbeError, Probed, probe_main};
pub use read_folder::FolderError;
pub use service::Config;
pub use stages::{main, stage};
pub use supervisor::supervisor_main;
pub use tool::{Arg, ExecTool, ExecToolEntry, Kind, ToolError};
pub use tracer::tracer_main;
pub use trial::{Trial, try_built_in, try_program};
pub use wire::{Added, Limits, Missing, Observed, Outcome, Refusal};
pub use workspace::{FILE_BYTES_MAX, Workspace};

/// The runner without its I/O.
pub type RunnerCore = executor::ExecutorCore<Runner>;
/// The runner as a service.
pub type RunnerService = executor::ExecutorService<Runner>;

/// The tools that ship as entries for common programs, without digests: a JSON list, as in a catalogue.
pub const SHELF: &str = include_str!("../shelf.json");

/// First argument of the supervisor stage.
pub const SUPERVISOR_STAGE: &str = "cage-supervisor";
/// Second argument of a supervisor that starts before its call is known, so that the call waits for fewer programs.
const WAITS: &str = "waits";
/// First argument of the stage between the two in a trial.
pub const TRACER_STAGE: &str = "cage-tracer";
/// First argument of the cage stage.
pub const CAGE_STAGE: &str = "cage";
/// First argument of the program that the self-test runs inside the cage.
pub const PROBE_STAGE: &str = "cage-probe";

/// First argument of the runner that pins a catalogue from standard input, for programs that only its image has.
pub const PIN_STAGE: &str = "pin";

/// First argument of the runner that inspects an MCP server; the second one is a folder for temporary files.
pub const INSPECT_STAGE: &str = "inspect";

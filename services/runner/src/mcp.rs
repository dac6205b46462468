//! Executes tools of MCP servers, each a process in the cage that answers calls until it is idle.

mod answer;
mod attempt;
mod entry;
mod failure;
mod inspect;
mod launch;
mod package;
mod servers;
mod session;
mod transport;

pub(crate) use answer::Answer;
pub use attempt::{ServerTrial, try_server};
pub use entry::{McpError, McpPath, McpServer, McpServerEntry, McpTool, McpToolEntry};
pub use failure::McpFailure;
pub(crate) use inspect::inspect_main;
pub use inspect::{InspectError, Inspected, inspect, inspect_here};
pub use package::PackageError;
pub use servers::Servers;
pub use session::ListedTool;

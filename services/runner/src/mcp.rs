//! Executes tools of MCP servers, each a process in the cage that answers calls until it is idle.

mod answer;
mod entry;
mod failure;
mod inspect;
mod launch;
mod package;
mod servers;
mod session;
mod transport;

pub(crate) use answer::Answer;
pub use entry::{McpError, McpPath, McpServer, McpServerEntry, McpTool, McpToolEntry};
pub use failure::McpFailure;
pub use inspect::{InspectError, Inspected, inspect};
pub use package::PackageError;
pub use servers::Servers;
pub use session::ListedTool;

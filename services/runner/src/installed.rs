//! Reads the tools of the signed catalogue that this runner can execute.
//!
//! To add a kind of tool:
//!
//! 1. Its key in the catalogue: a field of `Entry` in `services/contract/src/catalogue.rs`, with a function of `Tool`
//!    that returns it. `exec` is the example. The whole entry is part of the tool's digest.
//! 2. A file with the type that reads that key, checks its bounds and runs a call. Take `tool.rs` (bounds) and
//!    `Runner::exec` (the call) as the example.
//! 3. A variant of `Tool`, its arm in `read_tools`, and an error in `InstalledError`. The compiler names the
//!    other places: `Runner::call`, `Tool::adds` and `Runner::is_program`.
//! 4. Tests: its outcomes in `tests/it/execution.rs`, its bounds in `tests/it/bounds.rs`.

use bus_schema::ToolName;
use contract::CatalogueError;
use serde_json::Value;

use crate::files::FileTool;
use crate::mcp::{McpError, McpServer, McpTool, McpToolEntry};
use crate::now::NOW;
use crate::tool::{ExecTool, ToolError};
use crate::wire::KeptOut;

/// The execution of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Built in.
    File(FileTool),
    /// `time.now`
    Now,
    /// A program in the cage.
    Exec(Box<ExecTool>),
    /// A tool of an MCP server in the cage.
    Mcp(Box<McpTool>),
}

/// The tools of the signed catalogue that this runner can execute.
pub type Installed = executor::Installed<Tool>;

/// The reason that a catalogue or an entry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstalledError {
    /// It is not a valid catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The description of a program does not decode.
    #[error("`exec` of the tool `{name}` cannot be read ({problem}); correct the catalogue")]
    Entry {
        /// The tool.
        name: String,
        /// The place and the reason.
        problem: String,
    },
    /// A server is missing or not as signed, or its bounds are out of range.
    #[error("the tool `{name}` cannot be executed here: {source}")]
    Mcp {
        /// The tool.
        name: String,
        /// The reason.
        source: McpError,
    },
    /// A program is missing or not as signed, or its bounds are out of range.
    #[error("the tool `{name}` cannot be executed here: {source}")]
    Exec {
        /// The tool.
        name: String,
        /// The reason.
        source: ToolError,
    },
}

impl Tool {
    /// The names of the built-in tools.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        let files = FileTool::NAMED.iter().map(|(name, _)| *name);
        files.chain([NOW])
    }

    /// Returns the built-in tool of that name, if any.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let file = FileTool::named(name).map(Self::File);
        file.or_else(|| (name == NOW).then_some(Self::Now))
    }
}

/// Reads the catalogue that the owner signed, and checks the program of each tool; none if it was erased. Tools without
/// `exec` and `mcp` that are not built in belong to another executor and are left out.
#[must_use]
pub fn read_tools(document: Option<&[u8]>) -> Installed {
    let mut servers = ReadServers::default();
    Installed::read(document, |entry| {
        let name = entry.name();
        let tool = match (entry.exec(), entry.mcp()) {
            (Some(exec), _) => program(name, exec.clone()).map(|tool| Tool::Exec(Box::new(tool))),
            (None, Some(mcp)) => {
                let tool = servers.tool(name, mcp.clone());
                tool.map(|tool| Tool::Mcp(Box::new(tool)))
            }
            (None, None) => Ok(Tool::built_in(name.as_str())?),
        };
        Some(tool.map_err(|error| actor::chain(&error)))
    })
}

/// Leaves out each tool with a file in a folder that tools can write, or with a folder that it may not read.
pub(crate) fn keep_out(installed: Installed, kept_out: &KeptOut) -> Installed {
    installed.without(|name, tool| {
        let name = || name.to_string();
        let kept = match tool {
            Tool::File(_) | Tool::Now => Ok(()),
            Tool::Exec(tool) => tool
                .keep_out(kept_out)
                .map_err(|source| InstalledError::Exec {
                    name: name(),
                    source,
                }),
            Tool::Mcp(tool) => {
                tool.server
                    .keep_out(kept_out)
                    .map_err(|source| InstalledError::Mcp {
                        name: name(),
                        source,
                    })
            }
        };
        kept.map_err(|error| actor::chain(&error))
    })
}

fn program(
    name: &ToolName,
    exec: serde_json::Map<String, Value>,
) -> Result<ExecTool, InstalledError> {
    let entry: crate::ExecToolEntry =
        serde_json::from_value(Value::Object(exec)).map_err(|error| InstalledError::Entry {
            name: name.to_string(),
            problem: error.to_string(),
        })?;
    ExecTool::try_from(entry).map_err(|source| InstalledError::Exec {
        name: name.to_string(),
        source,
    })
}

/// The servers of a catalogue, each checked once however many tools it has.
#[derive(Default)]
struct ReadServers(Vec<(Value, Result<McpServer, String>)>);

impl ReadServers {
    fn tool(
        &mut self,
        name: &ToolName,
        mcp: serde_json::Map<String, Value>,
    ) -> Result<McpTool, InstalledError> {
        let written = mcp.get("server").cloned().unwrap_or_default();
        let wrong = |problem: String| InstalledError::Entry {
            name: name.to_string(),
            problem,
        };
        let entry: McpToolEntry =
            serde_json::from_value(Value::Object(mcp)).map_err(|error| wrong(error.to_string()))?;
        let refused = |source| InstalledError::Mcp {
            name: name.to_string(),
            source,
        };
        entry.is_listed().map_err(refused)?;
        let known = self.0.iter().find(|(server, _)| *server == written);
        let server = match known {
            Some((_, Ok(server))) => server.clone(),
            Some((_, Err(problem))) => return Err(wrong(problem.clone())),
            None => {
                let checked = McpServer::check(entry.server);
                let kept = checked.as_ref().map_or_else(
                    |error| Err(actor::chain(error)),
                    |server| Ok(server.clone()),
                );
                self.0.push((written, kept));
                checked.map_err(refused)?
            }
        };
        Ok(McpTool {
            server,
            tool: entry.tool,
            listed: entry.listed,
        })
    }
}

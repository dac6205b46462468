//! Holds the tools of the signed catalogue that this runner can execute, each with the digest that owner and policy use.
//!
//! To add a kind of tool:
//!
//! 1. Its key in the catalogue: a field of `Entry` in `services/contract/src/catalogue.rs`, with a function of `Tool`
//!    that returns it. `exec` is the example. The whole entry is part of the tool's digest.
//! 2. A file with the type that reads that key, checks its bounds and runs a call. Take `tool.rs` (bounds) and
//!    `Execution::exec` (the call) as the example.
//! 3. A variant of `Tool`, its arm in `Installed::read`, and an error in `InstalledError`. The compiler names the
//!    other places: `Execution::perform`, `Tool::adds`, and the check of the cage in `core.rs`.
//! 4. Tests: its outcomes in `tests/it/execution.rs`, its bounds in `tests/it/bounds.rs`.

use std::collections::BTreeMap;

use bus_schema::{Digest, ToolName};
use contract::{Catalogue, CatalogueError, unusable};
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

/// The tools of the signed catalogue that are executed here.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    tools: BTreeMap<ToolName, (Digest, Tool)>,
    /// The reasons that tools cannot be executed here, one sentence each.
    faults: BTreeMap<ToolName, String>,
    /// The reason that the catalogue as a whole cannot be used.
    unusable: Option<String>,
    /// The problem for health: the first of both kinds.
    trouble: Option<String>,
}

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

impl Installed {
    /// Reads the catalogue that the owner signed, and checks the program of each tool; none if it was erased. Tools
    /// without `exec` that are not built in belong to another executor and are left out. A tool that cannot be executed
    /// here is left out with the reason, so that the others go on.
    #[must_use]
    pub fn read(document: Option<&[u8]>) -> Self {
        let catalogue = match document.map(Catalogue::parse_signed) {
            Some(Ok(catalogue)) => catalogue,
            Some(Err(error)) => return Self::without_tools(&error.to_string()),
            None => return Self::without_tools("its document was erased"),
        };
        let mut read = Self::default();
        let mut servers = ReadServers::default();
        for entry in catalogue.tools() {
            let name = entry.name().clone();
            let tool = match (entry.exec(), entry.mcp()) {
                (Some(exec), _) => {
                    program(&name, exec.clone()).map(|tool| Tool::Exec(Box::new(tool)))
                }
                (None, Some(mcp)) => {
                    let tool = servers.tool(&name, mcp.clone());
                    tool.map(|tool| Tool::Mcp(Box::new(tool)))
                }
                (None, None) => match Tool::built_in(name.as_str()) {
                    Some(tool) => Ok(tool),
                    None => continue,
                },
            };
            match tool {
                Ok(tool) => drop(read.tools.insert(name, (entry.digest(), tool))),
                Err(error) => drop(read.faults.insert(name, actor::chain(&error))),
            }
        }
        read.settled()
    }

    fn without_tools(why: &str) -> Self {
        let read = Self {
            unusable: Some(unusable(why)),
            ..Self::default()
        };
        read.settled()
    }

    /// Leaves out each tool with a file in a folder that tools can write, or with a folder that it may not read.
    pub(crate) fn keep_out(mut self, kept_out: &KeptOut) -> Self {
        let faults = &mut self.faults;
        self.tools.retain(|name, (_, tool)| match tool {
            Tool::File(_) | Tool::Now => true,
            Tool::Exec(tool) => {
                let refused = |source| InstalledError::Exec {
                    name: name.to_string(),
                    source,
                };
                fits(name, tool.keep_out(kept_out).map_err(refused), faults)
            }
            Tool::Mcp(tool) => {
                let refused = |source| InstalledError::Mcp {
                    name: name.to_string(),
                    source,
                };
                fits(
                    name,
                    tool.server.keep_out(kept_out).map_err(refused),
                    faults,
                )
            }
        });
        self.settled()
    }

    /// Sets the problem for health.
    fn settled(self) -> Self {
        let first = self.faults.values().next();
        let others = self.faults.len().saturating_sub(1);
        let fault = first.map(|first| match others {
            0 => first.clone(),
            others => format!("{first} (and {others} more, see the log)"),
        });
        let trouble = self.unusable.clone().or(fault);
        Self { trouble, ..self }
    }

    /// Returns the tool of that name, if it has that digest.
    #[must_use]
    pub fn get(&self, name: &ToolName, digest: &Digest) -> Option<&Tool> {
        let (installed, tool) = self.tools.get(name)?;
        (installed == digest).then_some(tool)
    }

    /// Returns the digest of the tool of that name.
    #[must_use]
    pub fn digest(&self, name: &ToolName) -> Option<Digest> {
        self.tools.get(name).map(|(digest, _)| *digest)
    }

    /// Returns the reasons that tools cannot be executed here.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.faults
            .values()
            .chain(&self.unusable)
            .map(String::as_str)
    }

    /// Returns the problem of the tools, with what to do.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// Returns true if a tool passed a check, and notes its fault otherwise.
fn fits(
    name: &ToolName,
    checked: Result<(), InstalledError>,
    faults: &mut BTreeMap<ToolName, String>,
) -> bool {
    if let Err(error) = &checked {
        faults.insert(name.clone(), actor::chain(error));
    }
    checked.is_ok()
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

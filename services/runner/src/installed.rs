//! Holds the tools that this runner can execute, each with the digest that owner and policy use.
//!
//! To add a kind of tool:
//!
//! 1. Its key in the catalogue: a field of `Entry` in `services/contract/src/catalogue.rs`, with a function of `Tool`
//!    that returns it. `exec` is the example. The whole entry is part of the tool's digest.
//! 2. A file with the type that reads that key, checks its bounds and runs a call. Take `tool.rs` (bounds) and
//!    `Execution::exec` (the call) as the example.
//! 3. A variant of `Tool`, its arm in `Installed::parse`, and an error in `InstalledError`. The compiler names the
//!    other places: `Execution::perform`, `Tool::adds`, and the check of the cage in `core.rs`.
//! 4. Tests: its outcomes in `tests/it/execution.rs`, its bounds in `tests/it/bounds.rs`.

use std::collections::BTreeMap;

use bus_schema::{Digest, ToolName};
use contract::{Catalogue, CatalogueError};
use serde_json::Value;

use crate::tool::{ExecTool, ToolError};
use crate::wire::Place;
use crate::workspace::FileTool;

/// The execution of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Built in.
    File(FileTool),
    /// A program in the cage.
    Exec(Box<ExecTool>),
}

/// The tools of the catalogue that are executed here.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    tools: BTreeMap<ToolName, (Digest, Tool)>,
}

/// The reason that the catalogue cannot be used.
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
    /// A program is missing or not as signed, or its bounds are out of range.
    #[error("the tool `{name}` cannot be executed here: {source}")]
    Exec {
        /// The tool.
        name: String,
        /// The reason.
        source: ToolError,
    },
}

impl Installed {
    /// Reads the catalogue that policy reads. Tools without `exec` that are not built in belong to another
    /// executor and are left out.
    ///
    /// # Errors
    /// The first error found.
    pub fn parse(catalogue: &[u8]) -> Result<Self, InstalledError> {
        let catalogue = Catalogue::parse(catalogue)?;
        let mut tools = BTreeMap::new();
        for entry in catalogue.tools() {
            // A tool with a name that is invalid in a grant is never granted.
            let Ok(name) = entry.name().as_str().parse::<ToolName>() else {
                continue;
            };
            let tool = match entry.exec() {
                Some(exec) => Tool::Exec(Box::new(program(&name, exec.clone())?)),
                None => match FileTool::named(name.as_str()) {
                    Some(tool) => Tool::File(tool),
                    None => continue,
                },
            };
            let digest = Digest::new(*entry.digest().as_bytes());
            tools.insert(name, (digest, tool));
        }
        Ok(Self { tools })
    }

    /// Checks that no file of a program lies in a folder that tools can write.
    ///
    /// # Errors
    /// The first program with such a file.
    pub(crate) fn keep_out(&self, folders: &[Place]) -> Result<(), InstalledError> {
        for (name, (_, tool)) in &self.tools {
            match tool {
                Tool::File(_) => {}
                Tool::Exec(tool) => {
                    tool.keep_out(folders)
                        .map_err(|source| InstalledError::Exec {
                            name: name.to_string(),
                            source,
                        })?;
                }
            }
        }
        Ok(())
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

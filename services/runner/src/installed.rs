//! Knows the tools that this runner can execute, each by the digest that owner and policy know it by.

use std::collections::BTreeMap;

use bus_schema::{Digest, ToolName};
use contract::{Catalogue, CatalogueError};
use serde_json::Value;

use crate::tool::{ExecTool, ToolError};
use crate::workspace::FileTool;

/// How a tool is executed.
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

/// Why the catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstalledError {
    /// It is no catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// What it says of a program does not decode.
    #[error("`exec` of the tool `{name}` cannot be read ({problem}); correct the catalogue")]
    Entry {
        /// The tool.
        name: String,
        /// Where and why.
        problem: String,
    },
    /// A program is missing, or its bounds are out of range.
    #[error("the tool `{name}` cannot be executed here: {source}")]
    Exec {
        /// The tool.
        name: String,
        /// Why.
        source: ToolError,
    },
}

impl Installed {
    /// Reads the catalogue that policy reads. Tools without `exec` that are not built in belong to another
    /// executor and are left out.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(catalogue: &[u8]) -> Result<Self, InstalledError> {
        let catalogue = Catalogue::parse(catalogue)?;
        let mut tools = BTreeMap::new();
        for entry in catalogue.tools() {
            // A name that cannot stand in a grant is never granted.
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

    /// The tool of that name, if it is the one of that digest.
    #[must_use]
    pub fn get(&self, name: &ToolName, digest: &Digest) -> Option<&Tool> {
        let (installed, tool) = self.tools.get(name)?;
        (installed == digest).then_some(tool)
    }

    /// The digest of the tool of that name.
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

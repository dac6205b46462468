//! Defines the catalogue's `mcp` tools: the server that answers, and the tool as the server lists it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus_schema::Digest;
use serde::{Deserialize, Serialize};

use super::package::{PackageError, digest, open};
use crate::digest_cache::DIGESTS;
use crate::executable::{Digests, Executable, Named, PinError, located};
use crate::limits;
use crate::path::WorkspacePath;
use crate::read_folder;
use crate::tool::{TEMPLATE_MAX, ToolError};
use crate::wire::{KeptOut, Limits, PathArg, Place, Signed, Word};

/// Stands for the absolute path of the workspace in `argv` and `env`.
const WORKSPACE: &str = "{workspace}";
/// Most variables of an entry.
const ENV_MAX: usize = 64;
/// Longest variable, in bytes.
const ENV_BYTES_MAX: usize = 4096;
/// Most packages, and most paths, of a server.
const FOLDERS_MAX: usize = 16;
/// Longest name of a tool, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The time after which a server without calls is stopped, if the entry leaves it out.
const IDLE_MS: u64 = 300_000;
/// Longest such time.
const IDLE_MS_MAX: u64 = 86_400_000;

/// An `mcp` tool as written in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpToolEntry {
    /// The server. Tools with the same server share its process.
    pub server: McpServerEntry,
    /// The name by which the server lists the tool.
    pub tool: String,
    /// The SHA-256 of the canonical JSON of the tool as the server lists it.
    pub listed: String,
}

/// An MCP server on standard input and output, as written in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServerEntry {
    /// The absolute path without links; before [`McpServerEntry::pinned`] also a bare name of [`crate::SYSTEM_PATH`].
    pub program: PathBuf,
    /// The program's own name, which some programs read; its path if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv0: Option<String>,
    /// The SHA-256 of the program, its interpreter, and each file that an argument names, by absolute path.
    #[serde(default)]
    pub sha256: Digests,
    /// Folders of which all files belong to the program, each with its SHA-256.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: Digests,
    /// Arguments after the program's own name; `{workspace}` is the path of the workspace.
    pub argv: Vec<String>,
    /// Variables of the program; `{workspace}` is the path of the workspace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The part of the workspace that the program sees; all of it if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<McpPath>,
    /// Folders outside of the workspace, by absolute path, that the program may read with everything beneath.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<PathBuf>,
    /// True if the program may write: the paths with `write`, or the workspace if there are no paths.
    pub writable: bool,
    /// Bounds: `wall_ms` and `output_bytes_max` of a call, the others of the server's process.
    pub limits: Limits,
    /// The time after which the server is stopped if it gets no call, 1 s to 1 day; 5 minutes if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
}

/// A file or folder of the workspace that a server sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpPath {
    /// Its path.
    pub path: WorkspacePath,
    /// True if the server may write it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub write: bool,
}

/// An `mcp` tool that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpTool {
    /// The server.
    pub(crate) server: McpServer,
    /// The name by which the server lists the tool.
    pub(crate) tool: String,
    /// The digest of the tool as the server lists it.
    pub(crate) listed: String,
}

/// A server that has been checked: its files have the digests of the entry, and its bounds are in range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpServer {
    entry: McpServerEntry,
    /// Equal for equal entries.
    key: Digest,
}

/// The reason for refusing an `mcp` entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum McpError {
    /// A file of the program, or a bound.
    #[error("{0}")]
    Program(#[from] ToolError),
    /// A package.
    #[error("{0}")]
    Package(#[from] PackageError),
    /// A variable.
    #[error(
        "the variable `{name}` cannot be set; use at most {ENV_MAX} names of letters, digits and `_` with values of at \
         most {ENV_BYTES_MAX} bytes, none of them `LD_…` or a variable of the cage"
    )]
    Env {
        /// Its name.
        name: String,
    },
    /// No name of a tool, or no digest.
    #[error("`tool` or `listed` is not valid; `contractual tool import` writes both")]
    Listed,
    /// More paths or packages than the bound, or a path that is written though the server is not writable.
    #[error(
        "`paths` and `packages` have at most {FOLDERS_MAX} entries, and `write` at a path needs `\"writable\": true` and the other way round"
    )]
    Paths,
}

impl McpServerEntry {
    /// Returns the entry with the program's path without links, and all digests as they are now.
    ///
    /// # Errors
    /// A file or package cannot be found, read or pinned.
    pub fn pinned(mut self) -> Result<Self, McpError> {
        (self.program, self.argv0) = located(&self.program, self.argv0).map_err(ToolError::File)?;
        self.sha256 = self.open(&[]).map_err(ToolError::File)?.into_digests();
        for (folder, sha256) in &mut self.packages {
            *sha256 = digest(folder, &[])?.sha256;
        }
        Ok(self)
    }

    /// Returns true if a digest is to be filled in.
    #[must_use]
    pub fn lacks_digests(&self) -> bool {
        self.sha256.is_empty() || self.packages.values().any(String::is_empty)
    }

    /// Checks everything but the files.
    ///
    /// # Errors
    /// The first problem.
    pub fn is_in_range(&self) -> Result<(), McpError> {
        let mut texts = self.argv.iter().chain(&self.argv0);
        if self.argv.len() > TEMPLATE_MAX || texts.any(|text| text.contains('\0')) {
            return Err(ToolError::Template.into());
        }
        let own = ["PATH", "LANG", "HOME", "TMPDIR"];
        for (at, (name, value)) in self.env.iter().enumerate() {
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && !name.is_empty();
            let is_own = name.starts_with("LD_") || own.contains(&name.as_str());
            let is_long = name.len() + value.len() > ENV_BYTES_MAX || at >= ENV_MAX;
            if !is_name || is_own || is_long || value.contains('\0') {
                return Err(McpError::Env { name: name.clone() });
            }
        }
        read_folder::are_plain(&self.folders).map_err(ToolError::Folder)?;
        let writes = self.paths.iter().any(|path| path.write);
        if self.paths.len() > FOLDERS_MAX
            || self.packages.len() > FOLDERS_MAX
            || (!self.paths.is_empty() && writes != self.writable)
        {
            return Err(McpError::Paths);
        }
        let idle = self.idle_ms.filter(|ms| !(1000..=IDLE_MS_MAX).contains(ms));
        let idle = idle.map(|_| ("idle_ms", 1000, IDLE_MS_MAX));
        match limits::out_of_range(&self.limits).or(idle) {
            Some((limit, min, max)) => Err(ToolError::Limit { limit, min, max }.into()),
            None => Ok(()),
        }
    }

    fn open(&self, kept_out: &[Place]) -> Result<Executable, PinError> {
        let packages: Vec<PathBuf> = self.packages.keys().cloned().collect();
        let argv: Vec<Word> = self.argv.iter().cloned().map(Word::Fixed).collect();
        Executable::open(&Named {
            program: &self.program,
            argv0: self.argv0.as_deref(),
            argv: &argv,
            digests: &DIGESTS,
            packages: &packages,
            kept_out,
        })
    }
}

impl McpServer {
    /// Checks an entry, with its files and packages.
    ///
    /// # Errors
    /// The first problem.
    pub(crate) fn check(entry: McpServerEntry) -> Result<Self, McpError> {
        entry.is_in_range()?;
        let files = entry.open(&[]).map_err(ToolError::File)?;
        files.check(&entry.sha256).map_err(ToolError::File)?;
        for (folder, signed) in &entry.packages {
            let now = digest(folder, &[])?.sha256;
            if now != *signed {
                return Err(McpError::Package(PackageError::Changed {
                    path: folder.clone(),
                    signed: signed.clone(),
                    now,
                }));
            }
        }
        let value = serde_json::to_value(&entry).unwrap_or_default();
        let key = Digest::of(&[&bus_schema::json::canonical(&value)]);
        Ok(Self { entry, key })
    }

    /// Checks that no file and no package lies in a folder that tools can write, and that it may read its folders.
    pub(crate) fn keep_out(&self, kept_out: &KeptOut) -> Result<(), McpError> {
        self.entry
            .open(&kept_out.written)
            .map_err(ToolError::File)?;
        for folder in self.entry.packages.keys() {
            open(folder, &kept_out.written)?;
        }
        for folder in &self.entry.folders {
            read_folder::open(folder, kept_out).map_err(ToolError::Folder)?;
        }
        Ok(())
    }

    /// Folders outside of the workspace that the program may read.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.entry.folders
    }

    /// Equal for servers with equal entries.
    pub(crate) fn key(&self) -> Digest {
        self.key
    }

    /// Bounds.
    pub(crate) fn limits(&self) -> Limits {
        self.entry.limits
    }

    /// True if the program may write.
    pub(crate) fn writable(&self) -> bool {
        self.entry.writable
    }

    /// The time after which it is stopped if it gets no call.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.entry.idle_ms.unwrap_or(IDLE_MS))
    }

    /// The packages with their digests.
    pub(crate) fn packages(&self) -> &Digests {
        &self.entry.packages
    }

    /// The program with its digests.
    pub(crate) fn signed(&self) -> Signed {
        Signed {
            program: self.entry.program.clone(),
            argv0: self.entry.argv0.clone(),
            sha256: self.entry.sha256.clone(),
            known: DIGESTS.known(self.entry.sha256.values()),
        }
    }

    /// The part of the workspace that the program sees.
    pub(crate) fn paths(&self) -> Option<Vec<PathArg>> {
        let path = |path: &McpPath| PathArg {
            path: path.path.as_str().to_owned(),
            write: path.write,
            is_folder: false,
            beneath: None,
        };
        let paths = self.entry.paths.iter().map(path);
        (!self.entry.paths.is_empty()).then(|| paths.collect())
    }

    /// The arguments and variables, with the path of the workspace and the folders that the packages run from.
    pub(crate) fn filled(
        &self,
        workspace: &Path,
        packages: &BTreeMap<PathBuf, PathBuf>,
    ) -> (Vec<Word>, BTreeMap<String, String>) {
        let workspace = workspace.to_string_lossy();
        let fill = |text: &String| {
            let mut text = text.replace(WORKSPACE, &workspace);
            for (signed, used) in packages.iter().filter(|(signed, used)| signed != used) {
                text = moved(&text, &signed.to_string_lossy(), &used.to_string_lossy());
            }
            text
        };
        let argv = self.entry.argv.iter().map(|text| Word::Fixed(fill(text)));
        let env = self.entry.env.iter();
        let env = env.map(|(name, value)| (name.clone(), fill(value)));
        (argv.collect(), env.collect())
    }
}

impl McpTool {
    /// Checks an entry, with the files and packages of its server.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(entry: McpToolEntry) -> Result<Self, McpError> {
        entry.is_listed()?;
        Ok(Self {
            server: McpServer::check(entry.server)?,
            tool: entry.tool,
            listed: entry.listed,
        })
    }

    /// Bounds of its server.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.server.limits()
    }
}

impl McpToolEntry {
    /// Checks the name and the digest of the tool.
    ///
    /// # Errors
    /// [`McpError::Listed`].
    pub fn is_listed(&self) -> Result<(), McpError> {
        let is_digest = self.listed.len() == 64
            && self
                .listed
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_name = (1..=NAME_BYTES_MAX).contains(&self.tool.len());
        if is_digest && is_name {
            Ok(())
        } else {
            Err(McpError::Listed)
        }
    }
}

/// Returns the SHA-256 of the canonical JSON of a tool as its server lists it, in lower-case hexadecimal.
pub(super) fn listed_digest(entry: &serde_json::Value) -> String {
    Digest::of(&[&bus_schema::json::canonical(entry)]).to_string()
}

/// Replaces a folder in a text, where a whole name ends.
fn moved(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_whole = part.is_empty() || part.starts_with(['/', ':', ',', ';']);
        whole.push_str(if is_whole { to } else { from });
        whole.push_str(part);
    }
    whole
}

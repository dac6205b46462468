//! Parses the relative paths by which tools name files in a workspace.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Longest path, in bytes.
pub(crate) const PATH_BYTES_MAX: usize = 1024;

/// Returns true for an absolute path without a component that is empty, `.` or `..`.
pub(crate) fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        && path.is_absolute()
        && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str()
}

/// A relative path: UTF-8, 1 to 1,024 bytes, no NUL, and no component that is empty, `.` or `..`.
///
/// The single path `.` names the workspace itself; only `file.list` takes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspacePath(String);

/// The reason for refusing a path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than 1,024 bytes.
    #[error("the path has {bytes} bytes; use at most {PATH_BYTES_MAX}")]
    TooLong {
        /// Length found.
        bytes: usize,
    },
    /// Starts with `/`.
    #[error("the path is absolute; name a file relative to the workspace")]
    Absolute,
    /// Contains NUL.
    #[error("the path contains a NUL character; remove it")]
    Nul,
    /// A component is empty, `.` or `..`.
    #[error("the path has an empty, `.` or `..` component; write each folder name once")]
    Component,
    /// Begins with `@`, and names no folder of the contract.
    #[error("the path names no folder that its contract may read; those are {}", known(.0))]
    Folder(Vec<String>),
    /// In a folder that is only read.
    #[error("the path is in a folder that is only read; write into the workspace")]
    ReadOnly,
    /// In a folder whose own path is not UTF-8.
    #[error("the path of its folder on this machine is not UTF-8; rename that folder")]
    Encoding,
}

fn known(names: &[String]) -> String {
    let names = names.iter().map(|name| format!("`@{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

impl WorkspacePath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true for `.`, the workspace itself.
    pub fn is_root(&self) -> bool {
        self.0 == "."
    }

    /// Returns the parent directory (`.` if none) and the last component.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or((".", &self.0))
    }
}

impl TryFrom<String> for WorkspacePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong { bytes: text.len() });
        }
        if text.contains('\0') {
            return Err(PathError::Nul);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text != "." && text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(PathError::Component);
        }
        Ok(Self(text))
    }
}

impl From<WorkspacePath> for String {
    fn from(path: WorkspacePath) -> Self {
        path.0
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

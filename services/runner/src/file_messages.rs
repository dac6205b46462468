//! Defines the arguments and outputs of the file tools.

use serde::{Deserialize, Serialize};

use crate::path::WorkspacePath;

/// Arguments of `file.list`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListArgs {
    /// Directory, `.` for the workspace itself.
    pub path: WorkspacePath,
    /// Glob over the path relative to `path`: `*` and `?` stay within one component, `**` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// Arguments of `file.read` and `file.delete`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathArgs {
    /// The file.
    pub path: WorkspacePath,
}

/// Arguments of `file.write`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteArgs {
    /// The file; missing directories are created.
    pub path: WorkspacePath,
    /// Its whole new content, at most 1 MiB.
    pub text: String,
}

/// Output of `file.list`: regular files with one link, sorted by path.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// At most 10,000.
    pub files: Vec<ListedFile>,
}

/// One file of a listing.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFile {
    /// Relative to the workspace.
    pub path: WorkspacePath,
    /// Size.
    pub bytes: u64,
}

/// Output of `file.write`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The file.
    pub path: WorkspacePath,
    /// Its size.
    pub bytes: usize,
    /// SHA-256 of its content, lower-case hexadecimal.
    pub sha256: String,
}

/// Output of `file.delete`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The deleted file.
    pub path: WorkspacePath,
}

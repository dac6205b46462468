//! Defines the arguments and outputs of the file tools.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::path::WorkspacePath;

/// Arguments of `file.list`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListArgs {
    /// Directory, `.` for the workspace itself.
    pub path: WorkspacePath,
    /// A pattern of contracts ([`contract::PathGlob`]) on the path relative to `path`: `*` stands for any characters of
    /// one name, a whole name `**` for any names.
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

/// Output of `file.list`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Regular files with one link, sorted by path; at most 10,000.
    pub files: Vec<ListedFile>,
    /// Entries that were asked for and are not in `files`, sorted by path; empty if nothing is missing. At most 1,000, and
    /// one that counts the others.
    pub left_out: Vec<LeftOut>,
    /// One sentence for people: how much was left out, by reason.
    pub note: String,
}

/// One entry that a listing or a search left out.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Relative to the workspace. For people only: a backslash is doubled, an invisible character is `\u{…}`, and a
    /// byte that is not UTF-8 is `\x…`.
    pub path: String,
    /// The reason.
    pub reason: LeftOutReason,
    /// One line for people: the path, the reason and the repair.
    pub text: String,
}

/// The reason that a listing or a search left out an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// A symbolic link.
    Link,
    /// A regular file with several hard links.
    HardLinks,
    /// A fifo, socket or device.
    Special,
    /// A name with a backslash, an invisible character, or bytes that are not UTF-8. If it is a folder, all that is in it.
    OddName,
    /// A path of more than 1,024 bytes. If it is a folder, all that is in it.
    LongPath,
    /// Not readable for the runner. If it is a folder, all that is in it.
    Unreadable,
    /// Beyond a bound of the listing.
    TooMany,
    /// Not UTF-8, or with U+0000; only in a search.
    NotText,
    /// Larger than a search reads; only in a search.
    TooLarge,
    /// From here on nothing was searched; only in a search.
    NotSearched,
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
    /// Properties of the replaced file that this one has not; empty for a new file.
    pub not_kept: BTreeSet<NotKept>,
}

/// A property of a replaced file that its replacement could not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotKept {
    /// Its owner: only root may give a file away.
    Owner,
    /// Its group, if the runner is not a member. The group's rights are then those of everyone.
    Group,
    /// Its mode: set-user-id, set-group-id and sticky are never kept.
    Mode,
    /// Its access control list.
    AccessList,
    /// Other extended attributes. Capabilities of a program are never kept.
    Attributes,
}

/// Output of `file.delete`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The deleted file.
    pub path: WorkspacePath,
}

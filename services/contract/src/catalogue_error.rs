//! The errors of a catalogue, and what services say about a signed one.

use bus_schema::{ToolName, json};

/// The problem of a service in whose stream the owner signed no catalogue, and what to do.
pub const UNSIGNED: &str =
    "no catalogue is signed: the owner signs one with `contractual tool add FILE`";
/// The problem of a service that has not read the newest catalogue yet.
pub const UNREAD: &str = "the newest catalogue is being read";

/// Returns the problem of a service that cannot use the signed catalogue, and what to do.
#[must_use]
pub fn unusable(why: &str) -> String {
    format!(
        "the signed catalogue cannot be used ({why}): sign one with `contractual tool add FILE`"
    )
}

/// Maximum number of tools of a catalogue.
pub(crate) const TOOLS_MAX: usize = 1000;

/// An error in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// The text is not strict JSON.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// The top level is not an array or has too many entries.
    #[error("the catalogue is not a JSON array of at most {TOOLS_MAX} tools; write it as one")]
    NoList,
    /// An entry has a missing field, an unknown field, or a field of the wrong type.
    #[error("tool {place} of the catalogue cannot be read: {problem}; correct that entry")]
    WrittenTool {
        /// The position in the array, from 1.
        place: usize,
        /// The problem.
        problem: String,
    },
    /// Two tools have the same name, ignoring case.
    #[error("the catalogue has `{name}` twice; rename one of them")]
    Twice {
        /// The later name.
        name: ToolName,
    },
    /// The schema of the arguments is not supported.
    #[error("the input schema of `{name}` is refused: {problem}")]
    Schema {
        /// The tool.
        name: ToolName,
        /// The problem and the repair.
        problem: String,
    },
}

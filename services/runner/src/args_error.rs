//! The errors of the arguments of a program.

use crate::path::PathError;

/// Largest number of elements of a list value.
pub(crate) const LIST_MAX: usize = 1000;
/// Largest argv, in bytes.
pub(crate) const ARGV_BYTES_MAX: usize = 128 * 1024;

/// The reason for refusing arguments.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// Not a JSON object.
    #[error("the arguments are not a JSON object; send one value per name")]
    NotObject,
    /// No value.
    #[error("the argument `{name}` is missing; send it")]
    Missing {
        /// The name.
        name: String,
    },
    /// A name that the tool does not have.
    #[error("the argument `{name}` is unknown to the tool; leave it out")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Another JSON type than declared.
    #[error("the argument `{name}` has the wrong type; see the tool's schema")]
    Type {
        /// The name.
        name: String,
    },
    /// A NUL character.
    #[error("the argument `{name}` contains a NUL character; remove it")]
    Nul {
        /// The name.
        name: String,
    },
    /// Starts with `-` where the program could take it for an option.
    #[error(
        "the argument `{name}` starts with `-` and could be taken for an option; change the value"
    )]
    Option {
        /// The name.
        name: String,
    },
    /// A path that is not relative, plain and inside the workspace.
    #[error("the argument `{name}` is no path of the workspace: {source}")]
    Path {
        /// The name.
        name: String,
        /// The reason.
        source: PathError,
    },
    /// Too many elements or bytes.
    #[error(
        "the arguments are too large; keep them under {ARGV_BYTES_MAX} bytes and {LIST_MAX} list elements"
    )]
    TooLarge,
}

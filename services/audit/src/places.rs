//! The directories of a log.

use std::path::PathBuf;

/// The two directories of a log. Both must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The log itself.
    pub log: PathBuf,
    /// The directory of a second copy of the last checkpoint, best on another volume: the copy
    /// detects a rollback of the log.
    pub anchor: PathBuf,
}

//! The directories of a log.

use std::path::PathBuf;

/// Where a log lives. Both directories must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The log itself.
    pub log: PathBuf,
    /// A second copy of the last checkpoint, best on another volume: it tells a log that was
    /// rolled back to an older copy.
    pub anchor: PathBuf,
}

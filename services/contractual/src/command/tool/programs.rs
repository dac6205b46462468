//! The place of the programs that tools run.

use std::path::PathBuf;

/// The place of the programs that tools run.
#[derive(Debug, Clone)]
pub(super) enum Programs {
    /// On this machine; none of them may lie in the workspace, if that is known.
    Here(Option<PathBuf>),
    /// In the image of the runner, so only their digests are demanded here.
    InImage,
}

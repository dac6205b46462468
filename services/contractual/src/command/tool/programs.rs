//! The place of the programs that tools run.

use std::path::{Path, PathBuf};

use diagnostic::Diagnostic;

use super::place::Place;

/// The place of the programs that tools run.
#[derive(Debug, Clone)]
pub(super) enum Programs {
    /// On this machine; none of them may lie in the workspace, if that is known.
    Here(Option<PathBuf>),
    /// In the image of the runner, so only their digests are demanded here.
    InImage,
}

/// Refuses files that lie in the workspace, which tools can write.
pub(super) fn outside<P: AsRef<Path>>(
    at: &Place<'_>,
    files: impl Iterator<Item = P>,
    workspace: &Path,
    fix: &str,
    found: &mut Vec<Diagnostic>,
) {
    for file in files {
        let file = file.as_ref();
        if file.starts_with(workspace) {
            let shown = file.display();
            let problem = format!("`{shown}` lies in the workspace, which tools can write");
            found.push(at.problem(problem, fix));
        }
    }
}

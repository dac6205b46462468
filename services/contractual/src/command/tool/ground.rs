//! The folder in which a tool or a server runs without a deployment.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::Error;

/// A folder with an empty workspace and a folder for temporary files, which goes with its owner.
pub(super) struct Ground(TempDir);

impl Ground {
    /// Makes it.
    ///
    /// # Errors
    /// The kernel's error.
    pub(super) fn lay() -> Result<Self, Error> {
        let folder = TempDir::with_prefix("contractual-try-")
            .map_err(Error::io("create", std::env::temp_dir()))?;
        let ground = Self(folder);
        for path in [ground.workspace(), ground.scratch()] {
            fs::create_dir(&path).map_err(Error::io("create", &path))?;
        }
        Ok(ground)
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.0.path().join("workspace")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.0.path().join("scratch")
    }
}

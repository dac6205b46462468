//! The folder in which a tool or a server runs without a deployment.

use std::{fs, path::PathBuf};

use runner::McpPath;
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

    /// Makes the folders of the workspace that a server sees, unless they are there.
    ///
    /// # Errors
    /// The kernel's error.
    pub(super) fn furnish(&self, paths: &[McpPath]) -> Result<(), Error> {
        for path in paths {
            let path = self.workspace().join(path.path.as_str());
            if !path.exists() {
                fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
            }
        }
        Ok(())
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.0.path().join("scratch")
    }
}

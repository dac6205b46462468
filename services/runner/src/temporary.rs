//! Makes the private directory of a call, and takes it away again.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A directory that goes with its owner.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// Makes one that nobody else can enter.
    pub(crate) fn create(scratch: &Path) -> io::Result<Self> {
        let mut random = [0_u8; 12];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let path = scratch
            .canonicalize()?
            .join(format!("call-{}", crate::workspace::hex(&random)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if std::fs::remove_dir_all(&self.0).is_err() {
            // Every process of the call is gone, so paths are stable here.
            unlock(&self.0, 0);
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}

/// Gives the owner access to directories from which the tool took it.
fn unlock(folder: &Path, depth: usize) {
    const DEPTH_MAX: usize = 256;
    let is_folder = std::fs::symlink_metadata(folder).is_ok_and(|about| about.is_dir());
    if !is_folder || depth > DEPTH_MAX {
        return;
    }
    drop(std::fs::set_permissions(
        folder,
        std::fs::Permissions::from_mode(0o700),
    ));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        unlock(&entry.path(), depth + 1);
    }
}

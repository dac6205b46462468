//! Creates and removes the private directory of a call.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A directory that is removed when its owner is dropped.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// Creates one that only this uid can enter.
    pub(crate) fn create(scratch: &Path) -> io::Result<Self> {
        let mut random = [0_u8; 12];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let path = scratch
            .canonicalize()?
            .join(format!("call-{}", crate::sha256::hex(&random)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if std::fs::remove_dir_all(&self.0).is_err() {
            // Paths are stable here, because every process of the call has ended.
            unlock(&self.0, 0);
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}

/// Restores the owner's access to directories after the tool removed it.
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

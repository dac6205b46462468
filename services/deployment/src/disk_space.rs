//! Free disk space, measured before anything starts that would fail without it.

use std::{io::Write as _, path::Path};

use rustix::fs::statvfs;

use crate::Error;

/// The least free space of a volume, 4 MiB: the largest content fits.
pub const FREE_BYTES_MIN: u64 = 4 << 20;
/// The size of a test write.
const BYTES: usize = 64 << 10;

/// Writes a small file into a folder and removes it again.
///
/// # Errors
/// [`Error::Refused`] if it is not a folder, read-only or full.
pub fn check(folder: &Path) -> Result<(), Error> {
    let mut file = tempfile::Builder::new();
    let written = file
        .prefix(".contractual-")
        .tempfile_in(folder)
        .and_then(|mut file| {
            file.write_all(&[0; BYTES])?;
            file.as_file().sync_all()
        });
    written.map_err(|error| {
        Error::Refused(format!(
            "cannot write in {}: {error}; make it a writable folder with free space",
            folder.display()
        ))
    })
}

/// The free space of a folder's volume, in bytes; none if it cannot be read.
#[must_use]
pub fn free(folder: &Path) -> Option<u64> {
    let found = statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

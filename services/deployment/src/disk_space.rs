//! A test write to a folder, before anything starts that would fail in it later.

use std::{io::Write as _, path::Path};

use crate::Error;

/// The minimum free space.
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

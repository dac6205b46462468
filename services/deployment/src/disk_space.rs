//! Whether a folder can be written: asked before anything is started that would fail in it later.

use std::{io::Write as _, path::Path};

use crate::Error;

/// What has to fit at least.
const BYTES: usize = 64 << 10;

/// Writes a little into a folder and takes it away again.
///
/// # Errors
/// [`Error::Refused`] with what to do, if it is no folder, read-only or full.
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
            "cannot write in {}: {error}; make it a folder you can write to, with space left",
            folder.display()
        ))
    })
}

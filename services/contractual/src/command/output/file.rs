//! A new file for what a command prints.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt as _, path::Path};

use crate::Error;

/// Creates a file of mode 0600.
pub(super) fn created(file: &Path) -> Result<File, Error> {
    let mut new = File::options();
    let opened = new.write(true).create_new(true).mode(0o600).open(file);
    opened.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let file = file.display();
            Error::Refused(format!(
                "{file} exists, and is not replaced: name a new file"
            ))
        } else {
            Error::io("create", file)(error)
        }
    })
}

//! Text files of limited size.

use std::path::Path;

use bus_schema::CONTENT_BYTES_MAX;

use crate::Error;

/// The maximum size of a document: 256 KiB.
const DOCUMENT_BYTES_MAX: u64 = 256 << 10;

/// Reads a text file of at most 256 KiB.
///
/// # Errors
/// [`Error::Io`], or [`Error::Document`] if it is too large or not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Error> {
    read_up_to(path, DOCUMENT_BYTES_MAX)
}

/// Reads the text of a tool catalogue, of at most the size of one content.
///
/// # Errors
/// As [`read_text`].
pub fn read_catalogue_text(path: &Path) -> Result<String, Error> {
    read_up_to(path, CONTENT_BYTES_MAX as u64)
}

fn read_up_to(path: &Path, bytes_max: u64) -> Result<String, Error> {
    let size = std::fs::metadata(path)
        .map_err(Error::io("read", path))?
        .len();
    if size > bytes_max {
        return Err(Error::Document(format!(
            "{} is larger than {bytes_max} bytes",
            path.display()
        )));
    }
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::Document(format!("{} is not UTF-8 text", path.display())))?;
    // Some editors begin a file with a byte order mark, which is no part of its text.
    Ok(text
        .strip_prefix('\u{feff}')
        .map_or(text.clone(), str::to_owned))
}

//! Has a person change a text in the editor of their choice.

use std::{ffi::OsString, io::Write as _, path::Path, process::Command};

use deployment::read_text;
use tempfile::NamedTempFile;

use crate::Error;

/// The editor of a person who has named none.
const EDITOR: &str = "vi";

/// Opens a contract's text in the editor that `VISUAL` or `EDITOR` names, and returns what the person saved.
///
/// # Errors
/// [`Error::Refused`] if the editor cannot be started or fails, and the errors of the file.
pub(crate) async fn edited(text: &str) -> Result<String, Error> {
    let file = written(text)?;
    let path = file.path().to_owned();
    let editing = tokio::task::spawn_blocking(move || open(&path));
    let opened = editing.await;
    opened.map_err(|error| Error::Refused(error.to_string()))??;
    Ok(read_text(file.path())?)
}

/// Writes a contract's text to a new file, which is removed when it is dropped.
///
/// # Errors
/// The errors of the file.
pub(crate) fn written(text: &str) -> Result<NamedTempFile, Error> {
    let folder = std::env::temp_dir();
    let mut file = tempfile::Builder::new()
        .prefix("contract-")
        .suffix(".toml")
        .tempfile()
        .map_err(Error::io("create a file in", &folder))?;
    file.write_all(text.as_bytes())
        .map_err(Error::io("write", file.path()))?;
    Ok(file)
}

fn open(path: &Path) -> Result<(), Error> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(std::env::var_os);
    let named = named.filter(|name| !name.is_empty());
    let named = named.unwrap_or_else(|| OsString::from(EDITOR));
    // The value is a command line by custom.
    let named = named.to_string_lossy();
    let mut words = named.split_whitespace();
    let program = words.next().unwrap_or(EDITOR);
    let next = "set EDITOR to an editor of this machine";
    let ended = Command::new(program).args(words).arg(path).status();
    let ended = ended.map_err(|error| {
        Error::Refused(format!(
            "the editor {program} cannot be started: {error}; {next}"
        ))
    })?;
    if ended.success() {
        Ok(())
    } else {
        Err(Error::Refused(format!(
            "the editor {program} ended with {ended}; {next}"
        )))
    }
}

//! The owner's working copy of the catalogue: the file in the deployment's folder. Nothing reads it but the owner's
//! commands.

use std::path::Path;

use bus_schema::ToolName;
use deployment::{Dir, read_catalogue_text};
use serde_json::Value;

use super::entry::Entry;
use crate::Error;

/// A change of some entries.
pub(super) enum Edit<'a> {
    /// These are added, or replace those of their names.
    Add(&'a [Entry]),
    /// This one is removed.
    Remove(&'a ToolName),
}

impl Edit<'_> {
    /// Makes the change in a list of entries; the order of the others stays.
    pub(super) fn apply(&self, entries: &mut Vec<Value>) {
        match self {
            Self::Remove(name) => entries.retain(|entry| !is_named(entry, name)),
            Self::Add(added) => {
                for one in *added {
                    match entries.iter_mut().find(|entry| is_named(entry, &one.name)) {
                        Some(entry) => *entry = one.value.clone(),
                        None => entries.push(one.value.clone()),
                    }
                }
            }
        }
    }
}

fn is_named(entry: &Value, name: &ToolName) -> bool {
    entry.get("name").and_then(Value::as_str) == Some(name.as_str())
}

/// Makes the same change in the working copy, and leaves other edits there alone. Returns false if there is no readable
/// working copy.
///
/// # Errors
/// The file cannot be written.
pub(super) fn follow(dir: &Dir, edit: &Edit<'_>) -> Result<bool, Error> {
    let path = dir.catalogue();
    let Ok(text) = read_catalogue_text(&path) else {
        return Ok(false);
    };
    let Ok(mut entries) = serde_json::from_str::<Vec<Value>>(&text) else {
        return Ok(false);
    };
    let before = entries.clone();
    edit.apply(&mut entries);
    if entries != before {
        let text = serde_json::to_string_pretty(&entries).unwrap_or_default();
        write(&path, &format!("{text}\n"))?;
    }
    Ok(true)
}

/// Writes a catalogue as a whole, with the mode that it has.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .map_err(Error::io("write", path))?;
    let about = std::fs::metadata(path).map_err(Error::io("read", path))?;
    std::fs::write(file.path(), text)
        .and_then(|()| std::fs::set_permissions(file.path(), about.permissions()))
        .and_then(|()| file.as_file().sync_all())
        .map_err(Error::io("write", path))?;
    file.persist(path)
        .map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}

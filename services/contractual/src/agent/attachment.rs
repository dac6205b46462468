//! The attachments of a deployment: which agent in which folder, and the changes of its settings.

use std::{fs, path::PathBuf};

use actor::files;
use bus_schema::Digest;
use deployment::Dir;
use serde::{Deserialize, Serialize};

use super::{known::Agent, settings::Changed};
use crate::Error;

/// An attached agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachment {
    pub(crate) agent: Agent,
    pub(crate) program: PathBuf,
    pub(crate) project: PathBuf,
    /// The changes, in their order.
    pub(crate) changes: Vec<Changed>,
}

impl Attachment {
    /// All attachments of a deployment.
    ///
    /// # Errors
    /// The error of a file operation, or [`Error::Document`] for a file that is not one.
    pub(crate) fn all(dir: &Dir) -> Result<Vec<Self>, Error> {
        let folder = dir.agents();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io("read", &folder))?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io("read", &folder))?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                let bytes = files::read_public(&path)?;
                let parsed = serde_json::from_slice(&bytes);
                all.push(parsed.map_err(|error| {
                    let path = path.display();
                    Error::Document(format!("{path}: {error}; remove it and attach again"))
                })?);
            }
        }
        Ok(all)
    }

    /// Writes it.
    ///
    /// # Errors
    /// The error of a file operation.
    pub(crate) fn save(&self, dir: &Dir) -> Result<(), Error> {
        files::private_dir(&dir.agents())?;
        let text = serde_json::to_vec_pretty(self);
        let text = text.map_err(|error| Error::Document(error.to_string()))?;
        Ok(files::replace(&self.file(dir), &text)?)
    }

    /// Undoes its changes, the last one first, and forgets it; returns the changes that stay because somebody has
    /// changed them since.
    ///
    /// # Errors
    /// The error of a file operation, or [`Error::Document`] for settings that are no longer valid.
    pub(crate) fn undo(&self, dir: &Dir) -> Result<Vec<&Changed>, Error> {
        let mut kept = Vec::new();
        for change in self.changes.iter().rev() {
            if !change.undo()? {
                kept.push(change);
            }
        }
        let file = self.file(dir);
        fs::remove_file(&file).map_err(Error::io("remove", &file))?;
        Ok(kept)
    }

    fn file(&self, dir: &Dir) -> PathBuf {
        let project = Digest::of(&[self.project.as_os_str().as_encoded_bytes()]);
        let name = format!("{}-{project}.json", self.agent.program());
        dir.agents().join(name)
    }
}

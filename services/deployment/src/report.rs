//! The report of `init`, and the files that it writes.

use std::path::{Path, PathBuf};

use actor::files::{self, Written};
use serde::Serialize;

use crate::{Dir, Error};

/// What was made, and what was there.
#[derive(Debug, Default, Serialize)]
pub struct InitReport {
    /// Files that were made.
    pub created: Vec<PathBuf>,
    /// Files that were there and are good.
    pub kept: Vec<PathBuf>,
    /// Files that say something else now: what ships with the program, and what was asked for.
    pub replaced: Vec<PathBuf>,
    /// What to do next, if that is not `contractual up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl InitReport {
    /// For people.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let (created, kept) = (self.created.len(), self.kept.len());
        let replaced: String = self
            .replaced
            .iter()
            .map(|path| format!("\nreplaced: {}", path.display()))
            .collect();
        let path = dir.path().display();
        let next = match &self.next {
            Some(next) => next.clone(),
            None => format!("contractual up --dir {path}"),
        };
        format!("{path}: {created} files made, {kept} kept{replaced}\nnext: {next}")
    }

    pub(crate) fn note(&mut self, path: &Path, written: Written) {
        match written {
            Written::Created => self.created.push(path.to_owned()),
            Written::Kept => self.kept.push(path.to_owned()),
        }
    }
}

/// Writes a file unless it is there.
pub(crate) fn keep(path: &Path, text: &str, made: &mut InitReport) -> Result<(), Error> {
    if path.exists() {
        made.kept.push(path.to_owned());
    } else {
        files::write_new(path, text.as_bytes())?;
        made.created.push(path.to_owned());
    }
    Ok(())
}

/// Writes what is not the person's to edit: an old one would lack what this version needs.
pub(crate) fn refresh(path: &Path, text: &str, made: &mut InitReport) -> Result<(), Error> {
    if !path.exists() {
        return keep(path, text, made);
    }
    if files::read_public(path)? == text.as_bytes() {
        made.kept.push(path.to_owned());
        return Ok(());
    }
    files::replace(path, text.as_bytes())?;
    made.replaced.push(path.to_owned());
    Ok(())
}

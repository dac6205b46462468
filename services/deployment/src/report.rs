//! The report of `init`, and the files that it writes.

use std::path::{Path, PathBuf};

use actor::files::{self, Written};
use serde::Serialize;

use crate::{Dir, Error};

/// The created, kept and replaced files.
#[derive(Debug, Default, Serialize)]
pub struct InitReport {
    /// The created files.
    pub created: Vec<PathBuf>,
    /// The existing files, which were kept.
    pub kept: Vec<PathBuf>,
    /// The replaced files: files that ship with the program, and requested changes.
    pub replaced: Vec<PathBuf>,
    /// The next step, if it is not `contractual up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl InitReport {
    /// The report as text.
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

/// Writes a file unless it exists.
pub(crate) fn keep(path: &Path, text: &str, made: &mut InitReport) -> Result<(), Error> {
    if path.exists() {
        made.kept.push(path.to_owned());
    } else {
        files::write_new(path, text.as_bytes())?;
        made.created.push(path.to_owned());
    }
    Ok(())
}

/// Writes a file that nobody edits, and replaces an old one, which could lack parts that this version needs.
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

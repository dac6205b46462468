//! `tool pin`: writes the paths and digests of programs into a tool catalogue.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use deployment::{DeploymentFile, Dir, read_text};
use serde::Serialize;

use crate::{Error, Output};

/// `tool …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the path of each program and the SHA-256 of each of its files, as they are now, into a tool catalogue.
    Pin(Arguments),
}

/// `tool pin …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual tool pin\n\n\
    The runner executes only these bytes. A contract that was signed over other ones grants nothing until it is signed \
    again, and `contract sign` shows the difference.")]
pub(crate) struct Arguments {
    /// The tool catalogue, such as tools.json; by default the deployment's.
    file: Option<PathBuf>,
}

/// A tool that runs a program, as the command prints it.
#[derive(Debug, Serialize)]
struct Tool {
    /// The tool.
    tool: String,
    /// Its files by path, each with its SHA-256.
    files: std::collections::BTreeMap<PathBuf, String>,
    /// True if the entry was another one.
    changed: bool,
}

impl Command {
    /// Returns true if a catalogue is named, so that no deployment is read.
    pub(super) const fn needs_no_folder(&self) -> bool {
        let Self::Pin(arguments) = self;
        arguments.file.is_some()
    }

    pub(super) fn run(self, dir: &Dir, out: &Output) -> Result<(), Error> {
        match self {
            Self::Pin(arguments) => arguments.run(dir, out),
        }
    }
}

impl Arguments {
    fn run(self, dir: &Dir, out: &Output) -> Result<(), Error> {
        let containers = || DeploymentFile::read(dir).is_ok_and(|file| file.containers.is_some());
        if self.file.is_none() && containers() {
            let path = dir.path().display();
            return Err(Error::Refused(format!(
                "the programs of this deployment are in the image of the runner: run `deploy/stack pin {path}`"
            )));
        }
        let path = self.file.unwrap_or_else(|| dir.catalogue());
        let text = read_text(&path)?;
        let pinned = pinned(&path, &text, true)?;
        if pinned.text != text {
            write(&path, &pinned.text)?;
        }
        let tools = pinned.tools.into_iter().map(|tool| Tool {
            tool: tool.name,
            files: tool.files.into_iter().collect(),
            changed: tool.is_changed,
        });
        let tools: Vec<Tool> = tools.collect();
        out.print(&tools, || text_of(&tools, &path));
        Ok(())
    }
}

/// Fills the paths and digests of programs into the text of a catalogue; `again` replaces those that are there.
pub(super) fn pinned(path: &Path, text: &str, again: bool) -> Result<runner::Pinned, Error> {
    runner::pin(text, again)
        .map_err(|error| Error::Document(format!("{}: {}", path.display(), actor::chain(&error))))
}

/// Writes the catalogue as a whole, with the mode that it has.
fn write(path: &Path, text: &str) -> Result<(), Error> {
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

fn text_of(tools: &[Tool], path: &Path) -> String {
    let mut lines = Vec::new();
    for tool in tools {
        let state = if tool.changed { "changed" } else { "as before" };
        lines.push(format!("{}: {state}", tool.tool));
        for (file, digest) in &tool.files {
            lines.push(format!("  {digest}  {}", file.display()));
        }
    }
    if tools.is_empty() {
        lines.push(format!("{} has no tool with a program", path.display()));
    }
    if tools.iter().any(|tool| tool.changed) {
        lines.push(
            "next: start policy and runner again, and sign the contracts that use a changed tool"
                .to_owned(),
        );
    }
    lines.join("\n")
}

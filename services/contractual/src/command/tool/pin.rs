//! `tool pin`: writes the paths and digests of programs into a tool catalogue.

use std::path::{Path, PathBuf};

use clap::Args;
use deployment::{DeploymentFile, Dir, read_catalogue_text};
use serde::Serialize;

use super::working_copy;
use crate::{Error, Output};

/// `tool pin …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual tool pin\n\n\
    Nothing changes until `tool add` signs the catalogue: the runner executes only what is signed.")]
pub(crate) struct Arguments {
    /// The tool catalogue, such as tools.json; by default the working copy in the deployment's folder.
    file: Option<PathBuf>,
}

/// A tool that runs a program, as the command prints it.
#[derive(Debug, Serialize)]
struct PinnedProgram {
    /// The tool.
    tool: String,
    /// Its files by path, each with its SHA-256.
    files: std::collections::BTreeMap<PathBuf, String>,
    /// True if the entry was another one.
    changed: bool,
}

impl Arguments {
    /// Returns true if it reads nothing of a deployment.
    pub(super) const fn names_a_file(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn run(self, dir: &Dir, out: &Output) -> Result<(), Error> {
        let containers = || DeploymentFile::read(dir).is_ok_and(|file| file.containers.is_some());
        if self.file.is_none() && containers() {
            let path = dir.path().display();
            return Err(Error::Refused(format!(
                "the programs of this deployment are in the image of the runner: run `deploy/stack pin {path}`"
            )));
        }
        let path = self.file.unwrap_or_else(|| dir.catalogue());
        let text = read_catalogue_text(&path)?;
        let pinned = pinned(&path, &text, true)?;
        if pinned.text != text {
            working_copy::write(&path, &pinned.text)?;
        }
        let tools = pinned.tools.into_iter().map(|tool| PinnedProgram {
            tool: tool.name,
            files: tool.files.into_iter().collect(),
            changed: tool.is_changed,
        });
        let tools: Vec<PinnedProgram> = tools.collect();
        out.print(&tools, || text_of(&tools, &path));
        Ok(())
    }
}

/// Fills the paths and digests of programs into the text of a catalogue; `again` replaces those that are there.
pub(crate) fn pinned(path: &Path, text: &str, again: bool) -> Result<runner::Pinned, Error> {
    runner::pin(text, again)
        .map_err(|error| Error::Document(format!("{}: {}", path.display(), actor::chain(&error))))
}

fn text_of(tools: &[PinnedProgram], path: &Path) -> String {
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
        lines.push(format!(
            "next: `contractual tool add {}` signs the changed tools",
            path.display()
        ));
    }
    lines.join("\n")
}

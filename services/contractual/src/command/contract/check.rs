//! `contract check`: checks a contract as policy reads it, and runs its tests.

use std::path::{Path, PathBuf};

use actor::Clock;
use clap::Args;
use contract::Tool;
use deployment::{Dir, read_text};
use serde::Serialize;

use super::document::{Checked, Summary, check};
use super::folders;
use crate::{Error, Output, command::tool::pinned};

/// `contract check …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual contract check contract.toml --tools tools.json")]
pub(crate) struct Arguments {
    /// The contract, such as contract.toml.
    file: PathBuf,
    /// The tool catalogue, such as tools.json; by default the deployment's.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

impl Arguments {
    /// Returns true if it reads nothing of a deployment.
    pub(super) const fn names_tools(&self) -> bool {
        self.tools.is_some()
    }

    pub(super) fn run(self, dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
        let tools = self.tools.unwrap_or_else(|| dir.catalogue());
        let checked = check(&self.file, &tools, clock)?;
        let said = Good {
            summary: checked.summary(),
            notes: notes(dir, &checked, &tools)?,
        };
        out.print(&said, || {
            let mut text = said.summary.text();
            for note in &said.notes {
                text.push_str(&format!("\nnote     {note}"));
            }
            text
        });
        Ok(())
    }
}

/// The output of `contract check`.
#[derive(Serialize)]
struct Good {
    #[serde(flatten)]
    summary: Summary,
    /// The faults that keep its calls from running, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Returns what keeps its calls from running, one sentence each.
fn notes(dir: &Dir, checked: &Checked, catalogue: &Path) -> Result<Vec<String>, Error> {
    let mut notes = of_tools(checked, catalogue)?;
    notes.extend(folders::lacking(dir, checked.contract.folders()));
    Ok(notes)
}

/// Compares the programs of the contract's tools with the catalogue. A deployment in containers has them in its image.
///
/// # Errors
/// The catalogue cannot be read.
fn of_tools(checked: &Checked, catalogue: &Path) -> Result<Vec<String>, Error> {
    let runs = |tool: &&Tool| {
        let mut named = checked.envelope.tools.iter();
        tool.program().is_some() && named.any(|one| one.name == *tool.name())
    };
    let (pinned_before, open): (Vec<&Tool>, Vec<&Tool>) = checked
        .tools
        .tools()
        .filter(runs)
        .partition(|tool| tool.files().next().is_some());
    let mut notes: Vec<String> = open
        .iter()
        .map(|tool| {
            let program = tool.program().unwrap_or_default();
            format!(
                "`{}` cannot run yet: the catalogue lacks the SHA-256 of its program {program:?}; run `contractual tool pin`",
                tool.name()
            )
        })
        .collect();
    if pinned_before.is_empty() {
        return Ok(notes);
    }
    match pinned(catalogue, &read_text(catalogue)?, true) {
        Ok(now) => {
            let changed = now.tools.iter().filter(|tool| tool.is_changed);
            let names = changed.map(|tool| tool.name.as_str());
            let ours = names.filter(|name| {
                pinned_before
                    .iter()
                    .any(|tool| tool.name().as_str() == *name)
            });
            notes.extend(ours.map(|name| {
                format!(
                    "the program of `{name}` is another one on this machine than the catalogue says; if you trust it, run \
                     `contractual tool pin` and `contractual tool add`, and sign again"
                )
            }));
        }
        Err(error) => notes.push(format!(
            "the programs of its tools are not on this machine: {error}"
        )),
    }
    Ok(notes)
}

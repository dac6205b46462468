//! `tool add`: checks tools, signs them into the catalogue, and waits for its readers.

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use contract::Catalogue;
use deployment::{Deployment, catalogue, owner::owner, read_catalogue_text};
use serde_json::Value;

use super::{
    change::Change,
    entry::{self, Entry},
    programs::Programs,
    shelf::FILE,
    working_copy::Edit,
};
use crate::{Error, Output};

/// `tool add …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual tool add word-count.json\n\
    Example: contractual tool add --shelf git.log archive.list\n\n\
    Prints what changes in the signed catalogue and which contracts it suspends; on a terminal it asks before it signs. \
    A tool of the same name is replaced. Digests that are missing are filled in. No service is restarted, and the working \
    copy gets the same tools.\n\n\
    Exit codes: 0 signed, or nothing to sign · 1 the bus does not answer · 64 a tool is not valid · 130 not signed")]
pub(crate) struct Arguments {
    /// One tool, or a list of tools, such as word-count.json or the working copy tools.json.
    #[arg(required_unless_present = "shelf")]
    file: Option<PathBuf>,
    /// Names of the tools to add; all of the file if left out.
    names: Vec<String>,
    /// Add these tools of the shelf, which `tool shelf` lists.
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with_all = ["file", "names"])]
    shelf: Vec<String>,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let (file, text, names) = match &self.file {
            Some(file) => (
                file.display().to_string(),
                read_catalogue_text(file)?,
                &self.names,
            ),
            None => (FILE.to_owned(), runner::SHELF.to_owned(), &self.shelf),
        };
        add(deployment, (&file, &text, names), self.yes, out).await
    }
}

/// Checks the tools of a text, those with these names if there are any, and signs them into the catalogue.
///
/// # Errors
/// The bus's error, or what [`Change::make`] returns.
pub(crate) async fn add(
    deployment: &Deployment,
    (file, text, names): (&str, &str, &[String]),
    yes: bool,
    out: &Output,
) -> Result<(), Error> {
    let bus = deployment.bus().await?;
    let signed = catalogue::newest(&bus, owner(&deployment.dir)?).await?;
    let known = signed.as_ref().map(|signed| &signed.catalogue);
    let programs = match &deployment.file.containers {
        Some(_) => Programs::InImage,
        None => Programs::Here(Some(deployment.file.workspace.clone())),
    };
    let entries = checked(file, text, names, known, &programs)?;
    for entry in entries.iter().filter(|entry| entry.is_pinned) {
        out.line_for_people(&format!(
            "`{}`: the digests of its program's files were filled in",
            entry.name
        ));
    }
    let edit = Edit::Add(&entries);
    let change = Change::plan(deployment, bus, signed, &edit).await?;
    change.make(&edit, yes, out).await
}

/// Checks the tools that differ from the signed ones: a signed tool was checked before, by the rules of its time.
fn checked(
    file: &str,
    text: &str,
    names: &[String],
    known: Option<&Catalogue>,
    programs: &Programs,
) -> Result<Vec<Entry>, Error> {
    let signed: BTreeSet<String> = known
        .into_iter()
        .flat_map(Catalogue::tools)
        .map(|tool| tool.entry().to_string())
        .collect();
    let is_signed = |entry: &Value| signed.contains(&entry.to_string());
    let entries = entry::read(file, text, names, programs, &is_signed);
    entries.map_err(|found| Error::Document(found.to_string()))
}

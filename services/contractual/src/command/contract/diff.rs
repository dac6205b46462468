//! `contract diff`: compares two versions of a contract.

use std::path::PathBuf;

use clap::Args;
use deployment::{Dir, read_text};

use super::document::{parse, read_catalogue};
use crate::{Error, Output};

/// `contract diff …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual contract diff old.toml new.toml --tools tools.json\n\n\
    Lists each rule and limit that differs, and each test of both versions with different verdicts. Comments, tests \
    and names change no decision. `contract replay --contract NEW` compares recorded calls.\n\n\
    Exit codes: 0 no difference · 2 a difference · 64 a contract or the tools cannot be read"
)]
pub(crate) struct Arguments {
    /// The old version, such as old.toml.
    old: PathBuf,
    /// The new version, such as new.toml.
    new: PathBuf,
    /// The tool catalogue, such as tools.json; by default the deployment's.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

impl Arguments {
    /// Returns true if it reads nothing of a deployment.
    pub(super) const fn names_tools(&self) -> bool {
        self.tools.is_some()
    }

    pub(super) fn run(&self, dir: &Dir, out: &Output) -> Result<(), Error> {
        let tools = self.tools.clone().unwrap_or_else(|| dir.catalogue());
        let tools = read_catalogue(&tools)?;
        let read = |path: &std::path::Path| {
            let text = read_text(path)?;
            parse(&path.display().to_string(), &text, &tools)
        };
        let (old, new) = (read(&self.old)?, read(&self.new)?);
        let found = contract::diff(&old, &new, &tools);
        out.print(&found, || found.text());
        match found.entries.len() {
            0 => Ok(()),
            1 => Err(Error::Found(
                "the contracts differ in one rule or limit".to_owned(),
            )),
            many => Err(Error::Found(format!(
                "the contracts differ in {many} rules and limits"
            ))),
        }
    }
}

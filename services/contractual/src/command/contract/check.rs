//! `contract check`: checks a contract as policy reads it, and runs its tests.

use std::path::PathBuf;

use actor::Clock;
use clap::Args;
use deployment::Dir;

use super::document::check;
use crate::{Error, Output};

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
        let summary = check(&self.file, &tools, clock)?.summary();
        out.print(&summary, || summary.text());
        Ok(())
    }
}

//! `audit`: verifies or prints the record.

mod show;
pub mod verify;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify every signature, chain, leaf and root; report the first error.
    Verify(verify::Arguments),
    /// Print the record, oldest first.
    #[command(visible_alias = "log")]
    Show(show::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::Verify(arguments) => arguments.run(deployment, out).await,
            Self::Show(arguments) => arguments.run(deployment, out).await,
        }
    }
}

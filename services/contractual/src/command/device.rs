//! `device`: the devices that speak for the owner. `pair` adds one.

mod list;
mod revoke;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

/// `device …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the devices, with their role and their end.
    #[command(after_help = list::HELP)]
    List,
    /// Revoke a device: nothing that it signs counts any more, and its sessions end.
    Revoke(revoke::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::List => list::run(deployment, out).await,
            Self::Revoke(arguments) => arguments.run(deployment, out).await,
        }
    }
}

//! `model`: the models that work on dialogues; each is a tool of the signed catalogue.

mod add;
mod list;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

/// `model …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sign a model into the catalogue, and print the rule by which a contract permits its calls.
    Add(add::Arguments),
    /// List the models of the signed catalogue.
    #[command(after_help = list::HELP)]
    List,
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::Add(arguments) => arguments.run(deployment, out).await,
            Self::List => list::run(deployment, out).await,
        }
    }
}

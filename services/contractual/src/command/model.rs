//! `model`: the models that work on dialogues; each is a tool of the signed catalogue.

mod add;
mod list;
mod test;

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
    /// Have a model answer a few words, to see if all of its way works.
    Test(test::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::Add(arguments) => arguments.run(deployment, out).await,
            Self::List => list::run(deployment, out).await,
            Self::Test(arguments) => Box::pin(arguments.run(deployment, out)).await,
        }
    }
}

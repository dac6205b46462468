//! `playbook`: the steps that tasks and jobs run without a model.

mod check;
mod from;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

/// `playbook …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a playbook: its steps and references, and its tools and arguments against the signed catalogue.
    Check(check::Arguments),
    /// Write a playbook with the calls of a recorded task.
    From(from::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::Check(arguments) => arguments.run(deployment, out).await,
            Self::From(arguments) => arguments.run(deployment, out).await,
        }
    }
}

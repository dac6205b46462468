//! `task`: lists, shows, submits and cancels tasks.

mod cancel;
pub(super) mod dialogue;
mod inputs;
mod list;
pub(super) mod plan;
pub(super) mod run;
mod show;
pub(super) mod talk;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the newest tasks.
    List(list::Arguments),
    /// Show a task with its timeline.
    Show(show::Arguments),
    /// Cancel a task: nothing more of it is granted, and its running programs are killed.
    Cancel(cancel::Arguments),
    /// Have a model work on your words, or submit a playbook, under a signed contract; same as `run`.
    #[command(after_help = run::TASK_EXAMPLE)]
    Run(run::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::List(arguments) => arguments.run(deployment, out).await,
            Self::Show(arguments) => arguments.run(deployment, out).await,
            Self::Cancel(arguments) => arguments.run(deployment, out).await,
            Self::Run(arguments) => arguments.run(deployment, out).await,
        }
    }
}

//! `task`: lists, shows and submits tasks.

mod list;
pub(super) mod run;
mod show;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the newest tasks.
    #[command(after_help = "Example: contractual task list --json")]
    List,
    /// Show a task with its timeline.
    Show(show::Arguments),
    /// Submit a task (a playbook under a signed contract) and follow it to its end; same as `run`.
    #[command(after_help = run::TASK_EXAMPLE)]
    Run(run::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::List => list::run(deployment, out).await,
            Self::Show(arguments) => arguments.run(deployment, out).await,
            Self::Run(arguments) => arguments.run(deployment, out).await,
        }
    }
}

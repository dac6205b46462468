//! `job`: the jobs that the owner signs, whose playbooks run by themselves.

mod add;
mod change;
mod history;
mod known;
mod list;
mod next;
mod retry;
mod runs;
mod show;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

/// `job …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a job, and sign it with its playbook: from now on it runs at its times.
    Add(add::Arguments),
    /// List the jobs, with their last outcome and their next time.
    #[command(after_help = list::HELP)]
    List,
    /// Show a job: when it runs, under which contract, and its document.
    Show(show::Arguments),
    /// Print the coming times of a job, in its zone.
    Next(next::Arguments),
    /// Run a job once, now.
    #[command(after_help = "Example: contractual job run stocktake\n\n\
        Exit codes: 0 ordered · 1 there is no such job, or it is paused")]
    Run(change::Arguments),
    /// Start no more runs of a job until `job resume`; runs that go on are not ended.
    #[command(after_help = "Example: contractual job pause stocktake\n\n\
        Exit codes: 0 paused · 1 there is no such job")]
    Pause(change::Arguments),
    /// Let a paused job run again, from its next time on.
    #[command(after_help = "Example: contractual job resume stocktake\n\n\
        Exit codes: 0 resumed · 1 there is no such job")]
    Resume(change::Arguments),
    /// List the runs of a job, newest first.
    History(history::Arguments),
    /// Run a run again that failed, such as a dead letter.
    Retry(retry::Arguments),
    /// Revoke a job: it starts no more runs; runs that go on are not ended.
    #[command(after_help = "Example: contractual job remove stocktake\n\n\
        Exit codes: 0 revoked · 1 there is no such job")]
    Remove(change::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        use change::JobChange;
        match self {
            Self::Add(arguments) => arguments.run(deployment, out).await,
            Self::List => list::run(deployment, out).await,
            Self::Show(arguments) => arguments.run(deployment, out).await,
            Self::Next(arguments) => arguments.run(deployment, out).await,
            Self::Run(arguments) => arguments.run(JobChange::Run, deployment, out).await,
            Self::Pause(arguments) => arguments.run(JobChange::Pause, deployment, out).await,
            Self::Resume(arguments) => arguments.run(JobChange::Resume, deployment, out).await,
            Self::History(arguments) => arguments.run(deployment, out).await,
            Self::Retry(arguments) => arguments.run(deployment, out).await,
            Self::Remove(arguments) => arguments.run(JobChange::Remove, deployment, out).await,
        }
    }
}

//! `contract`: writes, checks, compares and signs contracts.

pub(super) mod amend;
mod check;
mod chosen;
mod decide;
mod diff;
pub mod document;
mod explain;
mod folders;
mod history;
mod index;
mod lines;
mod list;
pub(super) mod new;
mod replay;
mod revoke;
mod show;
pub mod sign;
pub(super) mod suspended;

use clap::Subcommand;

pub(super) use self::{
    chosen::chosen,
    history::History,
    index::{ContractEntry, ContractStatus},
    list::entries,
    show::text,
};
use super::context::Context;
use crate::Error;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a contract as policy reads it, and run its tests.
    Check(check::Arguments),
    /// Decide calls without a deployment; reads and writes JSON lines.
    #[command(visible_alias = "eval")]
    Decide(decide::Arguments),
    /// Decide one call without a deployment, and show the result of each rule for its tool.
    Explain(explain::Arguments),
    /// Show a contract in plain sentences: what it allows, asks, forbids and limits.
    Show(show::Arguments),
    /// Compare two versions of a contract, and list the tests that they decide differently.
    Diff(diff::Arguments),
    /// Decide the recorded history again, and show the differences.
    Replay(replay::Arguments),
    /// Write a contract from the text of a task, or from a recorded task.
    New(new::Arguments),
    /// Answer a task that asks for a change of its contract: sign the next version, or refuse.
    Amend(amend::Arguments),
    /// Check a contract, sign it with the owner's key, and wait for policy's verdict.
    Sign(sign::Arguments),
    /// List the signed contracts with their status, expiry and number of tasks.
    #[command(after_help = list::HELP)]
    List,
    /// Revoke a contract: no grants and no claims under it any more.
    Revoke(revoke::Arguments),
}

impl Command {
    /// Returns true if the command works without the bus.
    pub(super) const fn is_local(&self) -> bool {
        matches!(self, Self::Decide(_) | Self::Explain(_) | Self::Diff(_))
    }

    /// Returns true if the command reads nothing of a deployment.
    pub(super) const fn needs_no_folder(&self) -> bool {
        match self {
            Self::Check(arguments) => arguments.names_tools(),
            Self::Explain(arguments) => arguments.names_tools(),
            Self::Diff(arguments) => arguments.names_tools(),
            Self::New(arguments) => arguments.needs_no_folder(),
            Self::Decide(_) => true,
            Self::Show(_)
            | Self::Replay(_)
            | Self::Amend(_)
            | Self::Sign(_)
            | Self::List
            | Self::Revoke(_) => false,
        }
    }

    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let Context {
            dir, out, clock, ..
        } = context;
        match self {
            Self::Check(arguments) => arguments.run(dir, out, clock),
            Self::Decide(arguments) => arguments.run(clock),
            Self::Explain(arguments) => arguments.run(dir, out, clock),
            Self::Show(arguments) => arguments.run(context).await,
            Self::Diff(arguments) => arguments.run(dir, out),
            Self::Replay(arguments) => arguments.run(&context.deployment()?, out).await,
            Self::New(arguments) => arguments.run(context).await,
            Self::Amend(arguments) => arguments.run(&context.deployment()?, out).await,
            Self::Sign(arguments) => arguments.run(&context.deployment()?, out).await,
            Self::List => list::run(&context.deployment()?, out).await,
            Self::Revoke(arguments) => arguments.run(&context.deployment()?, out).await,
        }
    }
}

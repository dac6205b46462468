//! `tool`: the catalogue of tools that the owner signs.

mod add;
mod attempt;
mod change;
mod check;
mod diff;
mod entry;
mod ground;
mod http;
mod import;
mod list;
mod mcp;
mod members;
mod pin;
mod place;
mod programs;
mod remove;
mod shelf;
mod show;
mod uses;
mod working_copy;

use clap::Subcommand;

pub(super) use self::{add::add, change::signed, pin::pinned};
use super::context::Context;
use crate::Error;

/// `tool …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the tools of the signed catalogue.
    #[command(after_help = list::HELP)]
    List,
    /// Show a tool of the signed catalogue, as it was signed.
    Show(show::Arguments),
    /// Check tools, sign them into the catalogue, and wait until policy and runner have read it.
    Add(add::Arguments),
    /// Sign the catalogue without a tool.
    Remove(remove::Arguments),
    /// Compare the working copy with the signed catalogue.
    Diff(diff::Arguments),
    /// Start an MCP server once and write an entry for each of its tools.
    Import(Box<import::Arguments>),
    /// Check tools without a deployment.
    Check(check::Arguments),
    /// List the tools that ship as entries for common programs.
    #[command(after_help = shelf::HELP)]
    Shelf,
    /// Run a tool in the cage without a contract, on scratch data, and show what it did and what was refused.
    Try(attempt::Arguments),
    /// Write the path of each program and the SHA-256 of each of its files, as they are now, into a tool catalogue.
    Pin(pin::Arguments),
}

impl Command {
    /// Returns true if the command works without the bus.
    pub(super) const fn is_local(&self) -> bool {
        match self {
            Self::Import(_) | Self::Check(_) | Self::Pin(_) | Self::Shelf => true,
            Self::Try(arguments) => arguments.names_a_file(),
            Self::List | Self::Show(_) | Self::Add(_) | Self::Remove(_) | Self::Diff(_) => false,
        }
    }

    /// Returns true if the command reads nothing of a deployment.
    pub(super) const fn needs_no_folder(&self) -> bool {
        match self {
            Self::Import(_) | Self::Check(_) | Self::Shelf => true,
            Self::Pin(arguments) => arguments.names_a_file(),
            Self::Try(arguments) => arguments.names_a_file(),
            Self::List | Self::Show(_) | Self::Add(_) | Self::Remove(_) | Self::Diff(_) => false,
        }
    }

    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let Context { dir, out, .. } = context;
        match self {
            Self::List => list::run(&context.deployment()?, out).await,
            Self::Show(arguments) => arguments.run(&context.deployment()?, out).await,
            Self::Add(arguments) => arguments.run(&context.deployment()?, out).await,
            Self::Remove(arguments) => arguments.run(&context.deployment()?, out).await,
            Self::Diff(arguments) => arguments.run(&context.deployment()?, out).await,
            Self::Import(arguments) => Box::pin(arguments.run(out)).await,
            Self::Check(arguments) => arguments.run(out),
            Self::Shelf => shelf::run(out),
            Self::Try(arguments) => Box::pin(arguments.run(context)).await,
            Self::Pin(arguments) => arguments.run(dir, out),
        }
    }
}

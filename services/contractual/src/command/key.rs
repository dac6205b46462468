//! `key`: makes signing keys for the members of a contract's `[roles]`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::{Error, Output};

/// `key …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual key new ~/finance.pem",
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The same as `key new FILE`.
    #[arg(hide = true)]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a signing key and print its public half; keep a key that exists.
    #[command(after_help = "Example: contractual key new ~/finance.pem")]
    New {
        /// The file for the key, such as ~/finance.pem.
        file: PathBuf,
    },
}

impl Arguments {
    pub(super) fn run(&self, out: &Output) -> Result<(), Error> {
        let mut files = self
            .file
            .iter()
            .chain(self.command.iter().map(|Command::New { file }| file));
        files.try_for_each(|file| new(file, out))
    }
}

fn new(file: &Path, out: &Output) -> Result<(), Error> {
    let (key, _) = actor::signing_key::create(file)?;
    let key = bus_schema::public_key(&key);
    out.print(&serde_json::json!({ "public_key": key }), || {
        key.to_string()
    });
    Ok(())
}

//! `attached`: runs a program that dies with the process that started it.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::Args;

/// `attached …`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The process id of the parent.
    parent: u32,
    /// The program.
    program: PathBuf,
    /// The arguments of the program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Arguments {
    pub(super) fn run(&self) -> ExitCode {
        deployment::fleet::attached(self.parent, &self.program, &self.arguments)
    }
}

#![doc = include_str!("../README.md")]

mod agent;
mod amended;
mod asked;
mod client;
pub mod command;
mod cost;
mod editor;
mod error;
pub mod example;
mod fact;
mod filled;
mod find;
mod follower;
mod hidden;
mod ids;
pub mod junk;
mod live_words;
mod model;
mod model_line;
mod model_price;
mod openapi;
mod output;
mod permitted;
mod prompt;
mod provenance;
mod question;
mod questions;
mod reason;
mod recorded;
mod sent;
mod session;
mod step_bar;
mod timeline;
mod too_much;
mod unusual;

use std::process::ExitCode;

use clap::Parser as _;

pub use client::client;
pub use command::CommandLine;
pub use error::Error;
pub use output::Output;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    if let Some(code) = first.and_then(|first| runner::stage(&first)) {
        return code;
    }
    output::end(match CommandLine::try_parse() {
        Ok(line) => line.run(),
        Err(error) if error.use_stderr() => {
            // A closed terminal cannot show it either.
            error.print().ok();
            ExitCode::from(64)
        }
        Err(help) => {
            output::note(help.print());
            ExitCode::SUCCESS
        }
    })
}

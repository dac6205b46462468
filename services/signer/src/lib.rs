#![doc = include_str!("../README.md")]

mod code;
mod config;
mod health;
mod page;
mod serve;

use std::{io::Write as _, path::Path, process::ExitCode};

pub use code::{CheckCode, ROUNDS};
pub use config::{Config, Invalid, read};
pub use health::ask;
pub use page::Page;
pub use serve::serve;

/// Runs the whole `main`: `--config FILE` starts it, `--check` only checks the file, and `--health` asks the signer that runs
/// with it.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [flag, path] if flag == "--config" => run(Path::new(path)),
        [flag, path, check] if flag == "--config" && check == "--check" => {
            check_config(path.as_ref())
        }
        [flag, path, health] if flag == "--config" && health == "--health" => {
            check_health(path.as_ref())
        }
        _ => {
            actor::log("info");
            tracing::error!("usage: signer --config FILE [--check | --health]");
            ExitCode::from(64)
        }
    }
}

/// Checks a configuration.
#[must_use]
pub fn check_config(path: &Path) -> ExitCode {
    actor::log("info");
    match read(path) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

/// Asks the signer that runs with this configuration for an answer.
#[must_use]
pub fn check_health(path: &Path) -> ExitCode {
    actor::log("info");
    let config = match read(path) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let (said, code) = match ask(&config) {
        Ok(()) => ("ready".to_owned(), ExitCode::SUCCESS),
        Err(error) => (error.to_string(), ExitCode::FAILURE),
    };
    // The reader of the output may have gone away.
    writeln!(std::io::stdout(), "{said}").ok();
    code
}

/// Runs the signer until it is asked to stop.
#[must_use]
pub fn run(path: &Path) -> ExitCode {
    actor::hardening::harden();
    actor::log("info");
    let config = match read(path) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let listen = config.listen;
    match actor::runtime::run(serve(config)).and_then(|served| served) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("cannot listen on {listen}: {error}; free it or change `listen`");
            ExitCode::FAILURE
        }
    }
}

fn refuse(error: &Invalid) -> ExitCode {
    tracing::error!("{}", actor::chain(error));
    ExitCode::from(64)
}

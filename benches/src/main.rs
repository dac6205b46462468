//! Benchmarks of the whole system, compared with the bus alone: `cargo run --release -p benches -- NAME`.

mod accounts;
mod actions;
mod cold_start;
mod decide;
mod deployment;
mod egress;
mod egress_world;
mod floor;
mod gated_action;
mod growth;
mod history;
mod memory;
mod port;
mod raw;
mod rebuild;
mod runtime;
mod served;
mod session;
mod system;
mod table;
mod tools;
mod triggers;
mod variants;

use std::process::ExitCode;

/// Runs a benchmark by name. With another name it is the program under test, because the fleet starts its actors, and
/// `cold-start` its demo, from the same build.
fn main() -> ExitCode {
    let first = std::env::args().nth(1).unwrap_or_default();
    let rest: Vec<String> = std::env::args().skip(2).collect();
    let done = match first.as_str() {
        "gated-action" => gated_action::run(&rest),
        "decide" => decide::run(&rest),
        "cold-start" => cold_start::run(),
        "growth" => growth::run(&rest),
        "rebuild" => rebuild::run(&rest),
        "tools" => tools::run(),
        "session" => session::run(),
        "egress" => egress::run(),
        "triggers" => triggers::run(&rest),
        _ => return contractual::main(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            table::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

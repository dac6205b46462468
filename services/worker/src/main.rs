//! Runs the worker.

fn main() -> std::process::ExitCode {
    actor::main::<worker::Worker>()
}

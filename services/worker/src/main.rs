//! Runs the worker as a process of its own.

fn main() -> std::process::ExitCode {
    actor::main::<worker::Worker>()
}

//! Starts the runner.

fn main() -> std::process::ExitCode {
    runner::main()
}

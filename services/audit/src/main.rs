//! The audit service as a program of its own.

fn main() -> std::process::ExitCode {
    actor::main::<audit::Audit>()
}

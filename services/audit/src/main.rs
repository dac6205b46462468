//! The audit service as a program.

fn main() -> std::process::ExitCode {
    actor::main::<audit::Audit>()
}

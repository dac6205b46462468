//! The gateway service as a program: the HTTP entry point for tasks and approvals.

fn main() -> std::process::ExitCode {
    actor::main::<gateway::Gateway>()
}

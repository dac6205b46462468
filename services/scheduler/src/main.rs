//! Runs the scheduler.

fn main() -> std::process::ExitCode {
    actor::main::<scheduler::Scheduler>()
}

//! Runs policy.

fn main() -> std::process::ExitCode {
    actor::main::<policy::Policy>()
}

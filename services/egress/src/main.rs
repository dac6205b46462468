//! Runs egress.

fn main() -> std::process::ExitCode {
    executor::main::<egress::Egress>()
}

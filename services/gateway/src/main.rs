//! Gateway: the only way in.

fn main() -> std::process::ExitCode {
    actor::main::<gateway::Gateway>()
}

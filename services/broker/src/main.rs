//! Runs the broker.

fn main() -> std::process::ExitCode {
    actor::main::<broker::BrokerService>()
}

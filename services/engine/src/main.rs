//! Runs the engine.

fn main() -> std::process::ExitCode {
    actor::main::<engine::Engine>()
}

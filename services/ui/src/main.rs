//! Runs the ui.

fn main() -> std::process::ExitCode {
    actor::main::<ui::Ui>()
}

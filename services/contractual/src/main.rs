//! The command line of Contractual; also runs any of its services.

fn main() -> std::process::ExitCode {
    contractual::main()
}

//! The signer as a program: the static server of the page that makes and uses the keys of devices.

fn main() -> std::process::ExitCode {
    signer::main()
}

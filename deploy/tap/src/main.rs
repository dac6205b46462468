//! The program `tap`: connects standard input and output with a TCP connection, or checks health.

use std::{io::Write as _, net::SocketAddr, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let address = |text: &str| text.parse::<SocketAddr>().ok();
    let done = match arguments.as_slice() {
        ["health", to, path] if path.starts_with('/') => {
            address(to).map(|to| tap::health(to, path).map(|said| say(&said)))
        }
        [to] => address(to).map(tap::join),
        _ => None,
    };
    match done {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
        None => {
            say("usage: tap ADDRESS:PORT | tap health ADDRESS:PORT /PATH");
            ExitCode::from(64)
        }
    }
}

/// Prints to standard error, because standard output may be a connection.
fn say(text: &str) {
    // The reader may have closed it.
    writeln!(std::io::stderr(), "{text}").ok();
}

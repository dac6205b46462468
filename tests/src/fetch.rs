//! One request, asked from a network of the test's own by the program beside the control server of its tailnet.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde::Deserialize;

/// What a request was answered with.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Why there was no answer.
    #[serde(default)]
    pub error: String,
}

/// Asks once from the network at `net`, or from the test's own if there is none. `programs` holds `control`, which says
/// what its arguments are.
///
/// # Panics
/// If the program does not say what came of it.
#[must_use]
pub fn fetch(net: Option<&Path>, programs: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new("nsenter");
    if let Some(net) = net {
        command.arg(format!("--net={}", net.display()));
    }
    let asked = command
        .arg(programs.join("control"))
        .arg("fetch")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    let complaint = String::from_utf8_lossy(&asked.stderr);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complaint}"))
}

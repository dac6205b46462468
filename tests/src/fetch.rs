//! One request, sent from a test's network by the program beside the control server of its tailnet.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde::Deserialize;

/// The answer to a request.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The reason for a missing answer.
    #[serde(default)]
    pub error: String,
}

/// Sends a request from the network at `net`, or from the test's own if there is none. `programs` holds `control`,
/// which documents its arguments.
///
/// # Panics
/// Panics if the program does not report an outcome.
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

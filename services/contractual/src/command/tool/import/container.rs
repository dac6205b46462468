//! Inspects an MCP server in a container of the runner's image, for programs that only the image has.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use runner::{INSPECT_STAGE, Inspected, McpServerEntry};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::Error;

/// The folder for temporary files in the container of the runner.
const SCRATCH: &str = "/scratch";
/// The options of a container without a network, which has what the runner's has and none of its files.
const OPTIONS: [&str; 14] = [
    "run",
    "--rm",
    "--interactive",
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges:true",
    "--user=10004:10004",
    "--memory=1g",
    "--memory-swap=1g",
    "--pids-limit=256",
    "--tmpfs=/scratch:rw,noexec,nosuid,nodev,size=64m,mode=0700,uid=10004,gid=10004",
    "--entrypoint=/app/runner",
    "--pull=never",
];

/// Inspects a server with the programs of an image.
///
/// # Errors
/// The engine does not answer, or the server does not start.
pub(super) async fn inspect(
    image: &str,
    seccomp: Option<&Path>,
    server: &McpServerEntry,
) -> Result<Inspected, Error> {
    let mut command = Command::new("docker");
    command.args(OPTIONS);
    if let Some(profile) = seccomp {
        command.arg(format!("--security-opt=seccomp={}", profile.display()));
    }
    command.args([image, INSPECT_STAGE, SCRATCH]);
    let entry = serde_json::to_vec(server).unwrap_or_default();
    let output = ended(&mut command, &entry)
        .await
        .map_err(|error| Error::Refused(format!("docker: {error}; install it, or set PATH")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("error: ");
        return Err(Error::Refused(format!("in {image}: {said}")));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Error::Refused(format!(
            "{image} is no image of this version's runner: {error}; build it again"
        ))
    })
}

/// Runs a command with an input to its end.
async fn ended(command: &mut Command, input: &[u8]) -> std::io::Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut to) = child.stdin.take() {
        // A program that did not read it says why.
        to.write_all(input).await.ok();
    }
    child.wait_with_output().await
}

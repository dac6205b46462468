//! Runs a test in its own namespaces: its networks, mounts and processes are gone after it, however it ends.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// The environment variable that is set in the process of the test itself.
const INSIDE: &str = "CONTRACTUAL_TAILNET_INSIDE";
/// The folder with Tailscale's programs and the control server.
const PROGRAMS: &str = "TAILSCALE_PROGRAMS";
const NAMES: [&str; 4] = ["tailscaled", "tailscale", "containerboot", "control"];

/// Runs the test `name`; skips it with a message if the programs or the privileges are missing.
///
/// # Panics
/// Panics if the test fails, and if it cannot run although tests are mandatory.
pub(crate) fn isolated<F: Future<Output = ()>>(name: &str, test: impl FnOnce(PathBuf) -> F) {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(missing) => {
            harness::missing(&format!("{name}: {missing}"));
            return;
        }
    };
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return runtime.unwrap().block_on(test(programs));
    }
    // Both may need a build, with the network of the machine.
    let (contractual, _) = (harness::contractual(), harness::nats_server());
    let ran = Command::new(contractual)
        .args(["attached", &std::process::id().to_string(), "unshare"])
        .args([
            "--net",
            "--mount",
            "--ipc",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{}\n{said}\n{}",
        ran.status,
        String::from_utf8_lossy(&ran.stderr)
    );
}

fn programs() -> Result<PathBuf, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can make the networks".to_owned());
    }
    let folder = std::env::var_os(PROGRAMS).ok_or_else(|| {
        format!("{PROGRAMS} names no folder with the programs; `bash .ci/run tailnet` builds them")
    })?;
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    match NAMES.iter().find(|name| !folder.join(name).is_file()) {
        Some(name) => Err(format!("{PROGRAMS} holds no {name}")),
        None => Ok(folder),
    }
}

//! The engine that `.ci/engine` started: its client, and programs in the namespaces of its containers.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Every service of the compose file, with its user id.
pub(crate) const SERVICES: [(&str, u32); 13] = [
    ("nats", 10_012),
    ("policy", 10_003),
    ("runner", 10_004),
    ("egress", 10_011),
    ("broker", 10_005),
    ("audit", 10_007),
    ("worker", 10_008),
    ("engine", 10_002),
    ("scheduler", 10_006),
    ("ui", 10_009),
    ("gateway", 10_001),
    ("signer", 10_014),
    ("tailscale", 10_010),
];

/// The engine's folder. Without one the test is skipped with a message.
///
/// # Panics
/// Panics if there is none and `CONTRACTUAL_TESTS_MANDATORY` is set.
pub(crate) fn engine() -> Option<PathBuf> {
    let folder = std::env::var_os("CONTRACTUAL_ENGINE").map(PathBuf::from);
    if folder.is_none() {
        harness::missing("there is no engine: `bash .ci/run containers` starts one");
    }
    folder
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Runs a program without input until it ends.
pub(crate) fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

/// Its standard output and error, in this order.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// Runs `docker`; returns its output.
///
/// # Panics
/// Panics with its errors if it fails.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = run("docker", arguments);
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        text(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The name of a service's container.
pub(crate) fn container(service: &str) -> String {
    format!("contractual-{service}-1")
}

/// The state of a service's container in the engine.
pub(crate) fn inspect(service: &str) -> Value {
    let said = docker(&["inspect", "--type", "container", &container(service)]);
    let all: Value = serde_json::from_str(&said).unwrap();
    all[0].clone()
}

/// The process id of a service on this machine; 0 if it does not run.
pub(crate) fn pid(service: &str) -> u64 {
    inspect(service)["State"]["Pid"].as_u64().unwrap()
}

/// All processes in the pid namespace of a process, itself included.
pub(crate) fn processes(pid: u64) -> Vec<u64> {
    let own = fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
    let all = fs::read_dir("/proc").unwrap();
    let ids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    // A process that has ended meanwhile is in no namespace.
    ids.filter(|id: &u64| fs::read_link(format!("/proc/{id}/ns/pid")).is_ok_and(|of| of == own))
        .collect()
}

/// The state of a container: `healthy`, `unhealthy` or `starting` if it runs.
pub(crate) fn health(service: &str) -> String {
    let state = &inspect(service)["State"];
    let health = state["Health"]["Status"].as_str().unwrap_or("none");
    match state["Status"].as_str().unwrap() {
        "running" => health.to_owned(),
        other => other.to_owned(),
    }
}

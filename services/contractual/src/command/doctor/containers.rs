//! Checks of a deployment in containers: the state of each container, and the owners of files.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use actor::doubt::IN_DOUBT;
use bus_schema::AuthorId;
use deployment::{
    Containers, Deployment,
    containers::{self, can_write, shares},
};
use serde::Deserialize;

use super::{
    finding::{Fault, Findings},
    on_disk::disk_space,
};
use crate::command::stream;

/// Most bytes of a quotation.
const QUOTED_BYTES_MAX: usize = 400;

/// The error text of the system for a full volume.
const FULL: &str = "no space left";

/// The needed fields of `docker inspect`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    state: State,
    #[serde(default)]
    restart_count: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    exit_code: i64,
    #[serde(rename = "OOMKilled", default)]
    is_oom_killed: bool,
    #[serde(default)]
    error: String,
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
    #[serde(default)]
    log: Option<Vec<Check>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    exit_code: i64,
    output: String,
}

/// Checks owners, modes, the workspace and every container; returns the healthy services.
pub(super) fn look(
    findings: &mut Findings,
    deployment: &Deployment,
    of: &Containers,
) -> Vec<&'static str> {
    let wrong = containers::misplaced(&deployment.dir);
    let owners = if wrong.is_empty() {
        Ok("every container has its own files only".to_owned())
    } else {
        let fix = "run `sudo contractual init --containers` again";
        Err(Fault::new(wrong.join("; "), fix))
    };
    findings.note("owners", owners);
    findings.note("workspace", workspace(&deployment.file.workspace));
    findings.note("disk space", disk_space(&volumes(deployment)));
    let mut well = Vec::new();
    for share in shares() {
        if findings.note(share.service, seen(&of.container(share.service))) {
            well.push(share.service);
        }
    }
    well
}

/// The folders that the containers write to.
fn volumes(deployment: &Deployment) -> Vec<PathBuf> {
    let shares = shares();
    let volumes = shares.iter().flat_map(|share| {
        let folder = deployment.dir.of(share.service);
        share.volumes.iter().map(move |name| folder.join(name))
    });
    volumes.chain([deployment.file.workspace.clone()]).collect()
}

/// Checks that the runner can write to the workspace.
fn workspace(path: &Path) -> Result<String, Fault> {
    let runner = AuthorId::Runner.uid();
    let shown = path.display();
    let found = std::fs::metadata(path);
    let found = found.map_err(|error| Fault::new(format!("{shown}: {error}"), "create it"))?;
    if can_write(&found, runner) {
        Ok(format!("{shown}, writable for the runner"))
    } else {
        Err(Fault::new(
            format!("the runner cannot write to {shown}"),
            format!("run `sudo chown {runner} {shown}`"),
        ))
    }
}

fn seen(container: &str) -> Result<String, Fault> {
    let missing = || {
        let seen = format!("there is no container {container}");
        Fault::new(seen, "run `deploy/stack start`")
    };
    let said = docker(&["inspect", "--type", "container", container])?.ok_or_else(missing)?;
    let inspected: Vec<Inspected> = serde_json::from_str(&said).map_err(|error| {
        let seen = format!("docker inspect: {error}");
        Fault::new(
            seen,
            "use Docker Engine 20.10 or newer, or one with the same output",
        )
    })?;
    let Inspected {
        state,
        restart_count,
    } = inspected.into_iter().next().ok_or_else(missing)?;
    let logs = format!("see `docker logs {container}`");
    match state.status.as_str() {
        "running" => {}
        "paused" => {
            let fix = format!("run `docker unpause {container}`");
            return Err(Fault::new("it is paused", fix));
        }
        status => {
            let killed = if state.is_oom_killed {
                " because it ran out of memory (mem_limit)"
            } else {
                ""
            };
            let why = quoted(&[state.error.as_str(), &last_line(container)].join(" "));
            let seen = format!(
                "{status}, ended with {}{killed} after {restart_count} restarts: {why}",
                state.exit_code
            );
            return Err(Fault::new(seen, logs));
        }
    }
    let Some(health) = state.health else {
        return Ok("runs; it has no health check".to_owned());
    };
    let last = health.log.as_deref().unwrap_or_default().last();
    let said = last.map_or_else(String::new, |check| quoted(&check.output));
    match last {
        Some(check) if check.exit_code != 0 && said.contains(FULL) => Err(Fault::new(
            said,
            format!("free disk space in its volumes, then run `docker restart {container}`"),
        )),
        Some(check) if check.exit_code != 0 && said.contains(IN_DOUBT) => {
            Err(Fault::new(said, stream::FIX))
        }
        Some(check) if check.exit_code != 0 && said.contains(runner::RESTART) => Err(Fault::new(
            said,
            format!("to restart it, run `docker restart {container}`"),
        )),
        Some(check) if check.exit_code != 0 => Err(Fault::new(said, logs)),
        None => Err(Fault::new(
            format!("{}: no health check yet", health.status),
            "wait a few seconds, then run doctor again",
        )),
        Some(_) => Ok(if said.is_empty() { health.status } else { said }),
    }
}

/// The folder of this machine that is mounted at `place` in a container.
pub(super) fn mounted(container: &str, place: &str) -> Option<PathBuf> {
    let format = format!(
        "{{{{range .Mounts}}}}{{{{if eq .Destination {place:?}}}}}{{{{.Source}}}}{{{{end}}}}{{{{end}}}}"
    );
    let asked = [
        "inspect",
        "--type",
        "container",
        "--format",
        &format,
        container,
    ];
    let said = docker(&asked).ok().flatten()?;
    let path = said.trim();
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn last_line(container: &str) -> String {
    docker(&["logs", "--tail", "1", container])
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// The output of `docker`, or its errors if it is empty; none if there is no such container.
fn docker(arguments: &[&str]) -> Result<Option<String>, Fault> {
    let output = Command::new("docker").args(arguments).output();
    let missing = |error| Fault::new(format!("docker: {error}"), "install it, or set PATH");
    let output = output.map_err(missing)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // Services log to the standard error of their container.
        return Ok(Some(if said.is_empty() {
            complaint.into_owned()
        } else {
            said
        }));
    }
    if complaint.to_ascii_lowercase().contains("no such") {
        return Ok(None);
    }
    Err(Fault::new(
        format!("docker: {}", quoted(&complaint)),
        "start the engine, and run this as a user who may use it, such as root",
    ))
}

/// One line of bounded length.
pub(super) fn quoted(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let mut line = words.join(" ");
    let mut end = QUOTED_BYTES_MAX.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line
}

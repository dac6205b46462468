//! The shipped compose file and script: a start, a task with an approval by the command line, sizes and times.

use std::{fs, time::Duration};

use harness::{contract, contractual, playbook};
use serde_json::Value;

use crate::{
    engine::{SERVICES, docker, health, inspect, pid, processes, run, text},
    stack::Stack,
};

/// Most bytes of our images; the runner's also has programs, the server's the official program, and policy, ui, egress and
/// broker have Cedar and a validator of JSON Schema.
const IMAGE_BYTES_MAX: u64 = 15 * (1 << 20);
const LARGER: [(&str, u64); 6] = [
    ("runner", 40 << 20),
    ("nats", 20 << 20),
    ("policy", 22 << 20),
    ("ui", 24 << 20),
    ("egress", 20 << 20),
    ("broker", 20 << 20),
];
/// The timeout of a first start with existing images.
const START: Duration = Duration::from_secs(25);
/// Most memory of all idle processes.
const IDLE_KIB_MAX: u64 = 225 << 10;

#[tokio::test]
async fn the_shipped_file_comes_up_and_a_task_runs_with_an_approval() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    // The images exist, so that only the start is measured.
    stack.script(&["start"]);
    stack.script(&["stop"]);
    let began = stack.deployment.clock().elapsed();
    stack.script(&["start"]);
    let up = stack.deployment.clock().elapsed().saturating_sub(began);
    println!(
        "FIGURE cold start until everything is healthy: {} ms",
        up.as_millis()
    );
    assert!(up <= START, "{up:?}");
    for (service, _) in SERVICES {
        assert_eq!(health(service), "healthy", "{service}");
        assert_eq!(inspect(service)["RestartCount"], 0, "{service}");
    }
    idle();
    let folder = stack.deployment.scratch();
    let (signed, job) = (folder.join("contract.toml"), folder.join("playbook.toml"));
    fs::write(&signed, contract()).unwrap();
    fs::write(&job, playbook()).unwrap();
    let (signed, job) = (signed.to_str().unwrap(), job.to_str().unwrap());
    stack.said(&["contract", "sign", signed]);
    let told = stack.said(&["run", "--contract", signed, "--playbook", job, "--yes"]);
    for word in ["signed with --yes", "granted", "refused", "succeeded"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(stack.deployment.workspace().join("report.md").exists());
    let verified = stack.said(&["audit", "verify"]);
    assert!(verified.contains(" 0 junk"), "{verified}");
    let found = stack.doctor();
    assert!(!found.contains("BAD "), "{found}");
    let status = stack.script(&["status"]);
    assert_eq!(
        status.matches("(healthy)").count(),
        SERVICES.len(),
        "{status}"
    );
}

/// Memory of every process, shared pages in proportion.
fn idle() {
    let mut total = 0;
    for (service, _) in SERVICES {
        let kib: u64 = processes(pid(service)).into_iter().map(pss).sum();
        println!("FIGURE {service}: {kib} KiB idle");
        total += kib;
    }
    println!("FIGURE whole stack: {total} KiB idle");
    assert!(total <= IDLE_KIB_MAX, "{total} KiB");
}

/// The memory of a process in KiB, shared pages in proportion; 0 if it has ended.
fn pss(pid: u64) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.map_or(0, |text| {
        text.trim_end_matches("kB").trim().parse().unwrap()
    })
}

#[tokio::test]
async fn images_are_small_and_hold_no_more_than_they_need() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    for (service, uid) in SERVICES
        .into_iter()
        .filter(|(service, _)| *service != "tailscale")
    {
        let image = format!("contractual/{service}:0.1.0");
        let found: Value = serde_json::from_str(&docker(&["image", "inspect", &image])).unwrap();
        let bytes = found[0]["Size"].as_u64().unwrap();
        println!("FIGURE image {service}: {bytes} bytes");
        let larger = LARGER.iter().find(|(of, _)| *of == service);
        let most = larger.map_or(IMAGE_BYTES_MAX, |(_, bytes)| *bytes);
        assert!(bytes <= most, "{service}: {bytes} bytes");
        // An image without the compose file does not run as root either, and has its health check.
        assert_eq!(found[0]["Config"]["User"], format!("{uid}:{uid}"));
        assert!(found[0]["Config"]["Healthcheck"]["Test"].is_array());
        let names = listed(&stack, service);
        let shells = names.iter().filter(|name| {
            let last = name.rsplit('/').next().unwrap();
            ["sh", "bash", "busybox", "apt", "apk", "dpkg"].contains(&last)
        });
        assert_eq!(shells.count(), 0, "{names:?}");
        println!("FIGURE image {service}: {} files", names.len());
    }
    assert!(contractual().exists());
}

/// The files of a service's container, without the engine's own.
fn listed(stack: &Stack, service: &str) -> Vec<String> {
    let archive = stack.deployment.scratch().join(format!("{service}.tar"));
    let archive = archive.to_str().unwrap();
    docker(&[
        "export",
        "--output",
        archive,
        &crate::engine::container(service),
    ]);
    let names = text(&run("tar", &["--list", "--file", archive]));
    let engines = |name: &str| {
        ["dev/", "etc/", "proc/", "sys/", "contractual/"]
            .iter()
            .any(|of| name.starts_with(of))
    };
    let kept = names
        .lines()
        .filter(|name| !name.ends_with('/') && !engines(name) && *name != ".dockerenv");
    kept.map(str::to_owned).collect()
}

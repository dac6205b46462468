//! The shipped seccomp profiles: closed by default, no calls that reach out of a container, and all needed calls.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use bus_schema::{ACTORS, Property};
use harness::{Deployment, can_contain, profile};
use serde_json::{Value, json};

use crate::hardening::UNDER;

const NAMES: [&str; 13] = [
    "gateway",
    "policy",
    "runner",
    "broker",
    "egress",
    "audit",
    "worker",
    "engine",
    "scheduler",
    "ui",
    "signer",
    "nats",
    "tailscale",
];
/// Calls that no profile may allow.
const DANGEROUS: &str = "acct add_key bpf chroot delete_module finit_module fsconfig fsmount fsopen init_module
    io_uring_enter io_uring_register io_uring_setup kcmp kexec_file_load kexec_load keyctl memfd_secret mount
    mount_setattr move_mount name_to_handle_at open_by_handle_at open_tree perf_event_open personality pidfd_getfd
    pivot_root process_madvise process_vm_readv process_vm_writev ptrace quotactl reboot request_key setgid setns
    setuid swapon syslog umount2 unshare userfaultfd";
/// Calls that are allowed only with bounds on their arguments.
const BOUNDED: [&str; 3] = ["clone", "ioctl", "socket"];

fn read(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(profile(name)).unwrap()).unwrap()
}

fn names(rule: &Value) -> impl Iterator<Item = &str> {
    rule["names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
}

#[test]
fn profiles_are_closed_by_default_and_name_nothing_dangerous() {
    let dangerous: BTreeSet<_> = DANGEROUS.split_whitespace().collect();
    for name in NAMES {
        let profile = read(name);
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO", "{name}");
        for arch in profile["archMap"].as_array().unwrap() {
            assert_eq!(arch["subArchitectures"], json!([]), "{name}");
        }
        for rule in profile["syscalls"].as_array().unwrap() {
            let found: Vec<_> = names(rule).filter(|one| dangerous.contains(one)).collect();
            assert!(found.is_empty(), "{name}: {found:?}");
            let allows = rule["action"] == "SCMP_ACT_ALLOW";
            assert_eq!(names(rule).any(|one| one == "clone3"), !allows, "{name}");
            assert!(allows || rule["errnoRet"] == 38, "{name}");
            let bounded = names(rule).any(|one| BOUNDED.contains(&one));
            assert_eq!(rule["args"].is_array(), bounded, "{name}: {rule}");
        }
    }
}

#[test]
fn profiles_allow_no_new_namespace_and_no_odd_socket() {
    for name in NAMES {
        let profile = read(name);
        let rules = profile["syscalls"].as_array().unwrap();
        let of = |call: &str| {
            rules
                .iter()
                .filter(|rule| names(rule).eq([call]))
                .collect::<Vec<_>>()
        };
        let clone = of("clone");
        let mask =
            json!([{"index": 0, "value": 0x7E02_0000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]);
        assert_eq!((clone.len(), &clone[0]["args"]), (1, &mask), "{name}");
        let families = of("socket");
        let families: Vec<_> = families
            .iter()
            .map(|rule| rule["args"][0]["value"].as_u64().unwrap())
            .collect();
        let expected: &[u64] = if name == "tailscale" {
            &[1, 2, 10, 16]
        } else {
            &[1, 2, 10]
        };
        assert_eq!(families, expected, "{name}");
    }
}

/// The kernel itself refuses these calls.
#[test]
fn nobody_makes_a_namespace_or_mounts_under_any_profile() {
    for name in NAMES {
        let under = |command: &[&str]| {
            let output = Command::new(UNDER)
                .arg(profile(name))
                .args(command)
                .output();
            let output = output.unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), said)
        };
        assert!(under(&["true"]).0, "{name}");
        for kind in ["--user", "--mount", "--net", "--pid"] {
            let (made, said) = under(&["unshare", kind, "true"]);
            assert!(
                !made && said.contains("not permitted"),
                "{name}: {kind}: {said}"
            );
        }
        let (mounted, said) = under(&["mount", "-t", "tmpfs", "none", "/mnt"]);
        assert!(!mounted, "{name}: {said}");
    }
}

/// A tool works in the runner's container as it does outside.
#[test]
fn the_runners_profile_allows_what_its_cage_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cage = fs::read_to_string(root.join("services/runner/src/syscalls.rs")).unwrap();
    let profile = read("runner");
    let rules = profile["syscalls"].as_array().unwrap();
    let allowed: BTreeSet<_> = rules.iter().flat_map(names).collect();
    let caged = cage.split("libc::SYS_").skip(1).map(|rest| {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap();
        &rest[..end]
    });
    let missing: Vec<_> = caged.filter(|call| !allowed.contains(call)).collect();
    assert!(missing.is_empty(), "{missing:?}: run deploy/seccomp/derive");
}

/// The example's whole task, with each service in its container and under its own profile.
#[tokio::test]
async fn a_task_runs_with_every_service_in_its_container() {
    if !can_contain() {
        return;
    }
    let deployment = Deployment::new();
    deployment.start_nats_contained(UNDER).await;
    deployment.provision().await;
    for author in ACTORS {
        deployment.ship(*author, "[hardening]\nprofile = \"container\"");
        deployment.launch_contained(*author, &[], UNDER, &profile(author.name()));
    }
    for author in ACTORS {
        deployment.ready(author.name()).await;
    }
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    for author in ACTORS {
        let status = fs::read_to_string(format!(
            "/proc/{}/status",
            deployment.pid(author.name()).unwrap()
        ));
        assert!(status.unwrap().contains("Seccomp:\t2"), "{author}");
        deployment.stop(*author).await;
    }
    let record = deployment.record().await;
    assert_eq!(record.count("service.started"), ACTORS.len());
    for started in record.of("service.started") {
        assert_eq!(started.fact["hardening"]["profile"], "container");
        assert_eq!(
            started.fact["hardening"]["waived"],
            json!(Vec::<Property>::new())
        );
    }
}

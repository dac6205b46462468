//! Hardening of the containers: each line of the compose file that hardens a container is needed.

use std::{collections::BTreeSet, fs, path::Path};

use bus_schema::ACTORS;
use harness::eventually;
use regex::Regex;
use serde_json::Value;

use crate::{
    engine::{SERVICES, docker, health, inspect, root, text},
    probe::probed,
    stack::{NOTICED, Stack, logs},
    table::{Table, golden, inside, outside, rendered},
};

/// Lines of the compose file: the old text, the new text, and the row of the table that notices.
const LINES: [(&str, &str, &str); 21] = [
    (r#"(?m)^    user: .*\n"#, "", "file: user"),
    (r"(?m)^  read_only: true\n", "", "root is read-only"),
    (r"(?m)^  cap_drop: .*\n", "", "capabilities dropped"),
    (r#""no-new-privileges:true", "#, "", "privileges"),
    (r#", "seccomp=[^"]*""#, "", "seccomp profile"),
    (r"(?m)^  ipc: none\n", "", "shared memory"),
    (r"(?m)^ +pids_limit: .*\n", "", "processes"),
    (r"(?m)^ +memswap_limit: .*\n", "", "memory and swap"),
    (r"(?m)^ +mem(swap)?_limit: .*\n", "", "memory"),
    (r"(?m)^  cpus: .*\n", "", "processors (1e-9)"),
    (r"core: 0, ", "", "core limit"),
    (r", nofile: \d+", "", "files limit"),
    (r"(?m)^  restart: .*\n", "", "restart"),
    (r"(?m)^ +stop_grace_period: .*\n", "", "seconds to stop"),
    (r"(?m)^  logging: .*\n", "", "log"),
    (r"(?m)^    healthcheck: .*\n", "", "file: health check"),
    (r"(?m)^ +dns: .*\n", "", "resolver"),
    (r"(?m)^ +tmpfs: .*\n", "", "temporary files"),
    (r"read_only: true, bind", "bind", "mounts"),
    (r"(?m)^ +depends_on: .*\n", "", "file: waits for"),
    (
        r"networks: \[bus-(\w+)\]",
        "networks: [bus-$1, outside]",
        "networks",
    ),
];

/// Forbidden lines, added for all services, and the rows of the table that notice.
const ADDED: [(&str, &str); 7] = [
    ("privileged: true", "privileged"),
    ("cap_add: [NET_RAW]", "capabilities added"),
    ("pid: host", "process namespace"),
    ("userns_mode: host", "user namespace"),
    ("uts: host", "host name namespace"),
    ("devices: [/dev/null:/dev/probe]", "devices"),
    (r#"ports: ["127.0.0.1:9:9"]"#, "published ports"),
];

/// The row of a network, and the text that is removed from the file.
const NETWORKS: [(&str, &str); 2] = [
    (r"internal: true, ", "internal"),
    (r"driver_opts: \{[^}]*\}", "without an address of the host"),
];

/// Values of the compose file that an image would also set.
fn file(stack: &Stack, path: &Path) -> Table {
    let output = stack.compose(path, &["config", "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut table = Table::new();
    for (service, _) in SERVICES {
        let of = &said["services"][service];
        let mut row =
            |name: &str, value: String| table.insert((format!("file: {name}"), service), value);
        row("user", of["user"].to_string());
        row(
            "health check",
            of["healthcheck"]["test"].is_array().to_string(),
        );
        let waits = of["depends_on"].as_object().into_iter().flatten();
        let waits: Vec<_> = waits
            .map(|(name, how)| format!("{name}:{}", how["condition"].as_str().unwrap_or("")))
            .collect();
        row(
            "waits for",
            if waits.is_empty() {
                "nobody".to_owned()
            } else {
                waits.join(" ")
            },
        );
    }
    table
}

fn shipped() -> std::path::PathBuf {
    root().join("deploy/docker-compose.yml")
}

/// Creates the containers of a file without a start; `None` if the engine refuses.
fn created(stack: &Stack, path: &Path) -> Option<Table> {
    let made = stack.compose(path, &["create", "--pull", "never"]);
    let mut table = made.status.success().then(outside);
    if let Some(table) = &mut table {
        table.append(&mut file(stack, path));
        table.append(&mut networks());
    }
    let gone = stack.compose(path, &["down", "--timeout", "1"]);
    assert!(gone.status.success(), "{}", text(&gone));
    table
}

/// The networks of each service.
fn networks() -> Table {
    let mut table = Table::new();
    for (service, _) in SERVICES {
        let found = inspect(service);
        let all = found["NetworkSettings"]["Networks"].as_object().unwrap();
        let mut internal = Vec::new();
        let mut bare = Vec::new();
        for name in all.keys() {
            let said = docker(&["network", "inspect", name]);
            let network: Value = serde_json::from_str(&said).unwrap();
            let short = name.trim_start_matches("contractual_");
            let inhibits = &network[0]["Options"]["com.docker.network.bridge.inhibit_ipv4"];
            internal.push(format!("{short}={}", network[0]["Internal"]));
            bare.push(format!("{short}={}", inhibits == "true"));
        }
        table.insert(
            ("networks: internal".to_owned(), service),
            internal.join(" "),
        );
        let row = "networks: without an address of the host".to_owned();
        table.insert((row, service), bare.join(" "));
    }
    table
}

#[tokio::test]
async fn every_container_is_as_hard_as_it_is_shipped() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    let mut table = outside();
    table.append(&mut inside());
    table.append(&mut probed());
    table.append(&mut file(&stack, &shipped()));
    table.append(&mut networks());
    golden("containers.txt", &rendered(&table));
    for (service, uid) in SERVICES {
        let users = &table[&("inside: users of its processes".to_owned(), service)];
        assert_eq!(users, &uid.to_string(), "{service}");
    }
    // The self-measurement of each actor agrees.
    let record = stack.deployment.record().await;
    let started: Vec<_> = record.of("service.started").collect();
    assert_eq!(started.len(), ACTORS.len());
    for one in started {
        let found = &one.fact["hardening"];
        assert_eq!(found["profile"], "container");
        assert_eq!(found["waived"], serde_json::json!([]), "{found}");
        assert_eq!(
            (&found["seccomp"], &found["no_new_privileges"]),
            (&2.into(), &true.into())
        );
    }
}

/// Changes one line at a time in all services: the engine's answer changes only in that row.
#[tokio::test]
async fn without_a_line_of_the_file_its_row_is_otherwise() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let whole = created(&stack, &shipped()).unwrap();
    let mut wrong = Vec::new();
    let networks = NETWORKS.map(|(line, row)| (line, "", format!("networks: {row}")));
    let lines = LINES.map(|(line, instead, row)| (line, instead, row.to_owned()));
    for (line, instead, row) in lines.into_iter().chain(networks) {
        let pattern = Regex::new(line).unwrap();
        let path = stack.altered(|file| pattern.replace_all(file, instead).into_owned());
        let less = created(&stack, &path).unwrap_or_else(|| panic!("{line} is refused"));
        let mut expected = BTreeSet::from([row.as_str()]);
        // Rows that depend on a line change with it; the sidecar's image names neither user nor health check.
        match row.as_str() {
            "memory" => expected.insert("memory and swap"),
            "file: user" => expected.insert("user"),
            "file: health check" => expected.insert("health check"),
            "networks" => {
                expected.insert("networks: internal");
                expected.insert("networks: without an address of the host")
            }
            _ => false,
        };
        let other = differing(&whole, &less);
        if other != expected {
            wrong.push(format!("without {line}: {other:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rows in which two tables differ.
pub(crate) fn differing<'a>(whole: &'a Table, less: &Table) -> BTreeSet<&'a str> {
    let cells = whole.iter();
    cells
        .filter(|(of, value)| less.get(*of) != Some(value))
        .map(|((row, _), _)| row.as_str())
        .collect()
}

#[tokio::test]
async fn with_lines_that_give_more_their_rows_are_otherwise() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let whole = created(&stack, &shipped()).unwrap();
    let lines: String = ADDED
        .iter()
        .map(|(line, _)| format!("  {line}\n"))
        .collect();
    let first = "  restart: unless-stopped\n";
    let path = stack.altered(|file| file.replacen(first, &format!("{first}{lines}"), 1));
    let more = created(&stack, &path).unwrap();
    let rows = ADDED.map(|(_, row)| row);
    assert_eq!(differing(&whole, &more), rows.into_iter().collect());
}

/// Changes that an actor notices in its own container, and the line that it names.
const NOTICES: [(&str, &str, &str); 6] = [
    (r"(?m)^  read_only: true\n", "", "`read_only: true`"),
    (r"(?m)^  cap_drop: .*\n", "", "`cap_drop: [ALL]`"),
    // With our profile alone the engine cannot start it at all: it would have to take the profile before the user.
    (
        r#""no-new-privileges:true", "seccomp=./seccomp/worker.json""#,
        r#""seccomp=unconfined""#,
        "`no-new-privileges:true`",
    ),
    (
        r#"seccomp=./seccomp/worker.json"#,
        "seccomp=unconfined",
        "`seccomp=…`",
    ),
    // The engine's own profile also filters, but allows more.
    (r#", "seccomp=./seccomp/worker.json""#, "", "`seccomp=…`"),
    (r"core: 0, ", "core: 1024, ", "`core: 0`"),
];

#[tokio::test]
async fn an_actor_in_a_weaker_container_refuses_and_names_the_line() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    for (line, instead, named) in NOTICES {
        let pattern = Regex::new(line).unwrap();
        let path = stack.altered(|file| pattern.replace_all(file, instead).into_owned());
        let started = stack.compose(&path, &["up", "--detach", "--no-deps", "worker"]);
        assert!(started.status.success(), "{}", text(&started));
        let said = eventually(NOTICED, async || {
            let said = logs("worker");
            if said.contains("see docker-compose.yml") {
                Ok(said)
            } else {
                Err(said)
            }
        })
        .await;
        assert!(said.contains(named), "without {line}: {said}");
        assert_ne!(health("worker"), "healthy");
        let gone = stack.compose(&path, &["down", "--timeout", "1"]);
        assert!(gone.status.success(), "{}", text(&gone));
    }
}

/// No container can reach the files of the owner, the authority and `provision`.
#[tokio::test]
async fn no_container_has_a_key_that_is_not_its_own() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let made = stack.compose(&shipped(), &["create", "--pull", "never"]);
    assert!(made.status.success(), "{}", text(&made));
    let dir = stack.deployment.dir().path();
    for (service, uid) in SERVICES {
        let mounts = inspect(service)["Mounts"].clone();
        let sources = mounts.as_array().unwrap().iter();
        let sources: BTreeSet<_> = sources
            .map(|mount| mount["Source"].as_str().unwrap())
            .collect();
        for source in sources {
            let Ok(within) = Path::new(source).strip_prefix(dir) else {
                let workspace = stack.deployment.workspace();
                assert!(
                    Path::new(source) == workspace || service == "tailscale",
                    "{service}: {source}"
                );
                continue;
            };
            let public = within == Path::new("trust");
            assert!(public || within.starts_with(service), "{service}: {source}");
        }
        let folder = dir.join(service);
        for entry in fs::read_dir(&folder).unwrap() {
            let found = entry.unwrap().metadata().unwrap();
            let owner = std::os::unix::fs::MetadataExt::uid(&found);
            assert_eq!(owner, uid, "{service}");
        }
    }
}

//! The table of each container's properties, by the engine and by its process; it is checked in.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use serde_json::Value;

use crate::engine::{SERVICES, inspect, processes, root};

/// Values by property and service.
pub(crate) type Table = BTreeMap<(String, &'static str), String>;

/// A list as one word.
fn list(value: &Value) -> String {
    let entries = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut words: Vec<_> = entries.iter().map(word).collect();
    words.sort();
    if words.is_empty() {
        return "none".to_owned();
    }
    words.join(" ")
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Compares the profile in the engine with the shipped one of the service.
fn seccomp(service: &str, options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let said = options
        .iter()
        .find_map(|one| one.as_str()?.strip_prefix("seccomp="));
    let Some(said) = said else {
        return "the engine's".to_owned();
    };
    let path = root().join(format!("deploy/seccomp/{service}.json"));
    let shipped: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let found: Option<Value> = serde_json::from_str(said).ok();
    if found == Some(shipped) {
        "its own"
    } else {
        "another"
    }
    .to_owned()
}

fn privileges(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let closed = options
        .iter()
        .any(|one| one == "no-new-privileges:true" || one == "no-new-privileges");
    if closed {
        "no new ones"
    } else {
        "can be gained"
    }
    .to_owned()
}

fn limit(ulimits: &Value, name: &str) -> String {
    let found = ulimits.as_array().and_then(|all| {
        all.iter()
            .find(|one| one["Name"] == name)
            .map(|one| format!("{}:{}", one["Soft"], one["Hard"]))
    });
    found.unwrap_or_else(|| "none".to_owned())
}

fn health(check: &Value) -> String {
    let words = check["Test"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let text: Vec<_> = words.iter().skip(1).map(word).collect();
    let seconds = check["Interval"].as_u64().unwrap_or(0) / 1_000_000_000;
    if words.is_empty() {
        return "none".to_owned();
    }
    format!("`{}` each {seconds} s", text.join(" "))
}

/// The mount points of a container, and their access modes.
fn mounts(found: &Value) -> String {
    let all = found["Mounts"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut words: Vec<_> = all
        .iter()
        .map(|mount| {
            let mode = if mount["RW"] == true { "rw" } else { "ro" };
            format!("{}:{mode}", word(&mount["Destination"]))
        })
        .collect();
    words.sort();
    words.join(" ")
}

fn temporary(found: &Value) -> String {
    let all = found["HostConfig"]["Tmpfs"].as_object();
    let mut words: Vec<_> = all
        .into_iter()
        .flatten()
        .map(|(path, options)| format!("{path}:{}", word(options)))
        .collect();
    words.sort();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(" ")
    }
}

fn networks(found: &Value) -> String {
    let all = found["NetworkSettings"]["Networks"].as_object();
    let words = all.into_iter().flatten().map(|(name, at)| {
        let name = name.trim_start_matches("contractual_");
        match at["IPAMConfig"]["IPv4Address"].as_str() {
            Some(address) if !address.is_empty() => format!("{name}={address}"),
            _ => name.to_owned(),
        }
    });
    let mut words: Vec<_> = words.collect();
    words.sort();
    words.join(" ")
}

/// The properties that the engine reports.
pub(crate) fn outside() -> Table {
    let mut table = Table::new();
    for (service, _) in SERVICES {
        let found = inspect(service);
        let (config, host) = (&found["Config"], &found["HostConfig"]);
        let ports = host["PortBindings"]
            .as_object()
            .is_some_and(|all| !all.is_empty());
        let restart = &host["RestartPolicy"];
        let rows = [
            ("user", word(&config["User"])),
            ("root is read-only", word(&host["ReadonlyRootfs"])),
            ("capabilities dropped", list(&host["CapDrop"])),
            ("capabilities added", list(&host["CapAdd"])),
            ("privileged", word(&host["Privileged"])),
            ("privileges", privileges(&host["SecurityOpt"])),
            ("seccomp profile", seccomp(service, &host["SecurityOpt"])),
            ("shared memory", word(&host["IpcMode"])),
            ("process namespace", word(&host["PidMode"])),
            ("user namespace", word(&host["UsernsMode"])),
            ("host name namespace", word(&host["UTSMode"])),
            ("devices", list(&host["Devices"])),
            ("processes", word(&host["PidsLimit"])),
            ("memory", word(&host["Memory"])),
            ("memory and swap", word(&host["MemorySwap"])),
            ("processors (1e-9)", word(&host["NanoCpus"])),
            ("core limit", limit(&host["Ulimits"], "core")),
            ("files limit", limit(&host["Ulimits"], "nofile")),
            (
                "restart",
                format!(
                    "{}:{}",
                    word(&restart["Name"]),
                    restart["MaximumRetryCount"]
                ),
            ),
            ("health check", health(&config["Healthcheck"])),
            (
                "log",
                format!(
                    "{} {}",
                    word(&host["LogConfig"]["Type"]),
                    host["LogConfig"]["Config"]
                ),
            ),
            ("seconds to stop", word(&config["StopTimeout"])),
            ("resolver", list(&host["Dns"])),
            ("temporary files", temporary(&found)),
            ("published ports", ports.to_string()),
            ("all ports published", word(&host["PublishAllPorts"])),
            ("mounts", mounts(&found)),
            ("networks", networks(&found)),
        ];
        table.extend(rows.map(|(row, value)| ((row.to_owned(), service), value)));
    }
    table
}

/// The properties that the process of each container finds.
pub(crate) fn inside() -> Table {
    SERVICES
        .into_iter()
        .flat_map(|(service, _)| inside_of(service))
        .collect()
}

/// The properties that the process of one container finds.
pub(crate) fn inside_of(service: &'static str) -> Table {
    let pid = crate::engine::pid(service);
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let (status, limits, mounts) = (read("status"), read("limits"), read("mountinfo"));
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let words = line.unwrap_or_default().split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    let bound = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name));
        let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
        words.get(..2).map(|two| two.join(" ")).unwrap_or_default()
    };
    let sets = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"];
    let none = sets
        .iter()
        .all(|set| field(set).trim_matches('0').is_empty());
    let rows = [
        ("uids", field("Uid:")),
        ("gids", field("Gid:")),
        ("other groups", field("Groups:")),
        (
            "capabilities",
            if none { "none" } else { "some" }.to_owned(),
        ),
        ("no new privileges", field("NoNewPrivs:")),
        ("seccomp mode", field("Seccomp:")),
        ("core bytes", bound("Max core file size")),
        ("open files", bound("Max open files")),
        ("file systems that can be written to", writable(&mounts)),
        ("users of its processes", users(pid)),
        ("interfaces", interfaces(&read("net/dev"))),
        ("interfaces with IPv6", with_ipv6(&read("net/if_inet6"))),
    ];
    let rows = rows.map(|(row, value)| {
        let value = if value.is_empty() {
            "none".to_owned()
        } else {
            value
        };
        ((format!("inside: {row}"), service), value)
    });
    Table::from(rows)
}

/// The number of interfaces without the loopback; their names depend on the order of creation.
fn interfaces(devices: &str) -> String {
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    let count = names.filter(|(name, _)| name.trim() != "lo").count();
    format!("lo and {count}")
}

/// The number of interfaces with an address of that kind, without the loopback.
fn with_ipv6(addresses: &str) -> String {
    let names = addresses
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    let names: std::collections::BTreeSet<_> = names.filter(|name| *name != "lo").collect();
    names.len().to_string()
}

/// Mounts that are not read-only, with their other restrictions.
fn writable(mounts: &str) -> String {
    let mut words: Vec<_> = mounts
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            let (at, options) = (*fields.get(4)?, *fields.get(5)?);
            let separator = fields.iter().position(|field| *field == "-")?;
            let kind = *fields.get(separator + 1)?;
            let options: Vec<_> = options.split(',').collect();
            if !options.contains(&"rw") || ["proc", "devpts", "mqueue"].contains(&kind) {
                return None;
            }
            let kept = ["nosuid", "nodev", "noexec"].into_iter();
            let kept: Vec<_> = kept.filter(|one| options.contains(one)).collect();
            Some(format!("{at}({})", kept.join(",")))
        })
        .collect();
    words.sort();
    words.join(" ")
}

/// The user ids of all other processes beside a process.
fn users(pid: u64) -> String {
    let mut found = std::collections::BTreeSet::new();
    for one in processes(pid) {
        // The runtime's own process, until it becomes a health check.
        let program = fs::read_link(format!("/proc/{one}/exe")).unwrap_or_default();
        if program.to_string_lossy().contains("runc") {
            continue;
        }
        // It may end at any moment.
        let status = fs::read_to_string(format!("/proc/{one}/status")).unwrap_or_default();
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        found.extend(
            uids.unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned),
        );
    }
    found.into_iter().collect::<Vec<_>>().join(" ")
}

/// The table as text: one line for a value that all services share, else one line for each.
pub(crate) fn rendered(table: &Table) -> String {
    let mut text = String::new();
    let mut rows: Vec<_> = table.keys().map(|(row, _)| row.as_str()).collect();
    rows.dedup();
    for row in rows {
        let values = SERVICES.map(|(service, _)| {
            let value = table.get(&(row.to_owned(), service));
            (service, value.map_or("?", String::as_str))
        });
        let first = values[0].1;
        if values.iter().all(|(_, value)| *value == first) {
            writeln!(text, "{row}: {first}").unwrap();
            continue;
        }
        writeln!(text, "{row}").unwrap();
        for (service, value) in values {
            writeln!(text, "    {service:10} {value}").unwrap();
        }
    }
    text
}

/// Compares with the file that is checked in; `GOLDEN=write` writes it.
pub(crate) fn golden(name: &str, wanted: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|set| set == "write") {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, wanted,
        "it is otherwise than tests/golden/{name} says; if that is meant, run `GOLDEN=write bash .ci/run containers`"
    );
}

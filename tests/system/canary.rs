//! Secrets of every kind do their work in real calls, and afterwards nothing but egress and the host has seen one.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
};

use bus_schema::{ACTORS, AuthorId};
use harness::{Deployment, NATS};
use serde_json::{Value, json};

use crate::{
    cli::run,
    egress::{World, started},
    scene::{contract, playbook},
    secret_calls::{encodings, everything, give, has},
};

const KEYS_SERVER: &str = include_str!("keys_server.py");
/// The kinds with their rules, and the text before the canary in the value.
const KINDS: [(&str, &str, &str); 7] = [
    ("header", "header:authorization=Bearer {}", ""),
    ("query", "query:key", ""),
    ("cookie", "cookie:sid", ""),
    ("basic", "basic", "me:"),
    (
        "hmac",
        "hmac:x-signature=v0={hex};v0:{time}{line}{method} {host}{path}:{body};x-time",
        "",
    ),
    ("sigv4", "sigv4:eu-central-1/execute-api", "AKIDCANARY:"),
    ("client", "header:authorization=Bearer {}", ""),
];

/// A tool that carries the secret of its kind in a request with a query and a body.
fn tool(world: &World, kind: &str) -> Value {
    world.tool(&format!("keys.{kind}"), |tool| {
        tool["http"]["method"] = json!("POST");
        tool["http"]["path"] = json!(format!("/v2/keys/{kind}/{{item}}"));
        tool["http"]["query"] =
            json!([{"name": "b", "value": "item"}, {"name": "a", "literal": "1/2"}]);
        tool["http"]["body"] = json!({"item": {"$value": "item"}});
        tool["http"]["secret"] = json!(kind);
        tool["http"]["answer"] = json!({"type": "json", "fields": {"echo": "/echo"}});
    })
}

/// The memory of a process that can be written, piece by piece; none if this user may not read it.
fn memory(pid: u32, mut each: impl FnMut(&[u8])) -> Option<()> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let from = u64::from_str_radix(from, 16).ok()?;
        let to = u64::from_str_radix(to, 16).ok()?;
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        match memory.read_exact_at(&mut bytes, from) {
            Ok(()) => each(&bytes),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
            // A region that went away since.
            Err(_) => {}
        }
    }
    Some(())
}

/// Checks that the memory of every part but egress has no canary, and that the search finds what is there.
fn search_memory(deployment: &Deployment, canary: &[String]) {
    let path = deployment.dir().path().display().to_string();
    let others = ACTORS.iter().filter(|author| **author != AuthorId::Egress);
    for name in others.map(|author| author.name()).chain([NATS]) {
        let pid = deployment.pid(name).unwrap();
        let mut finds_its_folder = false;
        let read = memory(pid, |bytes| {
            assert!(!has(bytes, canary), "the memory of {name} has the secret");
            finds_its_folder |= has(bytes, std::slice::from_ref(&path));
        });
        if rustix::process::geteuid().is_root() {
            assert!(read.is_some() && finds_its_folder, "{name}");
        }
    }
}

#[tokio::test]
async fn secrets_of_every_kind_do_their_work_and_stand_nowhere() {
    let deployment = Deployment::provisioned().await;
    let salt = deployment.opened().clock.salt().to_string();
    let canary = format!("canary{}", &salt[..32]);
    let value = |kind: &str, before: &str| format!("{before}{canary}{kind}");
    let keys: serde_json::Map<String, Value> = KINDS
        .iter()
        .map(|(kind, _, before)| ((*kind).to_owned(), json!(value(kind, before))))
        .collect();
    let keys = Value::Object(keys).to_string();
    let files = [
        ("keys.json", keys.as_str()),
        ("keys_server.py", KEYS_SERVER),
    ];
    let Some(world) = World::with(&deployment, &files) else {
        return;
    };
    started(&deployment, &world).await;
    let tools: Vec<Value> = KINDS.iter().map(|(kind, ..)| tool(&world, kind)).collect();
    let file = deployment.scratch().join("tools.json");
    fs::write(&file, json!(tools).to_string()).unwrap();
    let added = run(
        &deployment,
        &["tool", "add", file.to_str().unwrap(), "--yes"],
    );
    assert_eq!(added.code, Some(0), "{added:?}");

    let (mut rules, mut steps) = (String::new(), String::new());
    for (kind, inject, before) in KINDS {
        let endpoint = world.endpoint();
        let mut set = vec![
            "secret", "set", kind, "--host", &endpoint, "--inject", inject,
        ];
        let url = format!("https://{endpoint}/token");
        if kind == "client" {
            set.extend([
                "--token-url",
                &url,
                "--client",
                "me",
                "--scope",
                "read write",
            ]);
        }
        let ended = give(&deployment, &set, &value(kind, before));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        rules += &format!("[[allow]]\ntool = \"keys.{kind}\"\nsecrets = [\"{kind}\"]\n");
        steps += &format!(
            "[[step]]\nid = \"{kind}\"\ntool = \"keys.{kind}\"\nargs = {{ item = \"a b\" }}\n"
        );
    }
    let text = contract("keys", &rules);
    let text = text.replacen("\n[limits]", &format!("{}\n[limits]", world.head()), 1);
    let signed = deployment.sign(&text).await;
    let task = deployment.submit(signed, &playbook(&steps)).await;
    let ran = deployment.follow(task, true).await;
    assert_eq!(
        ran.outcome(),
        "succeeded",
        "{:?} {:?}",
        ran.outcomes(),
        world.requests()
    );
    // The host has checked each of them, and the token endpoint the secret of the client.
    let kinds = KINDS.map(|(kind, ..)| kind);
    let mut verified = kinds.to_vec();
    verified.insert(kinds.len() - 1, "token");
    assert_eq!(world.lines("verified"), verified);
    for kind in kinds {
        let task = task.to_string();
        let printed = run(&deployment, &["output", &task, kind]).printed;
        let marks = printed.matches(&format!("[secret {kind}]")).count();
        assert_eq!(marks, 11, "{printed}");
    }

    let encodings = encodings(&canary);
    assert!(has(format!("x{canary}").as_bytes(), &encodings));
    search_memory(&deployment, &encodings);
    for (place, bytes) in everything(&deployment).await {
        // The query of a request is the host's own log.
        let is_of_host = place.ends_with("/world/requests");
        assert!(
            is_of_host || !has(&bytes, &encodings),
            "{place} shows a secret"
        );
        let name = place.rsplit('/').next().unwrap_or_default();
        assert!(!name.starts_with("core"), "{place}");
    }
    for author in ACTORS {
        let pid = deployment.pid(author.name()).unwrap();
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let core: Vec<&str> = core.unwrap().split_whitespace().collect();
        assert_eq!(core[4], "0", "{author}");
    }
}

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
    scene::playbook,
    secret_calls::{canary, encodings, everything, give, has},
};

pub(crate) const KEYS_SERVER: &str = include_str!("keys_server.py");
/// The kinds with their rules, and the text before the canary in the value.
const KINDS: [(&str, &str, &str); 9] = [
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
    ("refresh", "header:authorization=Bearer {}", ""),
    ("vault", "header:x-key", ""),
];

/// A tool that carries the secret of its kind in a request with a query and a body.
pub(crate) fn tool(world: &World, kind: &str) -> Value {
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

/// A page of memory that was never written.
const UNTOUCHED: [u8; 4096] = [0; 4096];

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
            Ok(()) => {
                let mut run = Vec::new();
                for page in bytes.chunks(UNTOUCHED.len()) {
                    if page != UNTOUCHED {
                        run.extend_from_slice(page);
                    } else if !run.is_empty() {
                        each(&std::mem::take(&mut run));
                    }
                }
                each(&run);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
            // A region that went away since.
            Err(_) => {}
        }
    }
    Some(())
}

/// Checks that the memory of every part but egress has no canary, and that the search finds what is there.
pub(crate) fn search_memory(deployment: &Deployment, canary: &[String]) {
    let path = deployment.dir().path().display().to_string();
    let any = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
        regex::bytes::Regex::new(&texts.join("|")).unwrap()
    };
    let (canary, path) = (any(canary), any(&[path]));
    let others = ACTORS.iter().filter(|author| **author != AuthorId::Egress);
    for name in others.map(|author| author.name()).chain([NATS]) {
        let pid = deployment.pid(name).unwrap();
        let mut finds_its_folder = false;
        let read = memory(pid, |bytes| {
            assert!(
                !canary.is_match(bytes),
                "the memory of {name} has the secret"
            );
            finds_its_folder |= path.is_match(bytes);
        });
        if rustix::process::geteuid().is_root() {
            assert!(read.is_some() && finds_its_folder, "{name}");
        }
    }
}

/// The value of a kind.
fn value(canary: &str, (kind, _, before): (&str, &str, &str)) -> String {
    match kind {
        // The secret of the client after the refresh token.
        "refresh" => format!("{canary}{kind} {canary}secret"),
        _ => format!("{before}{canary}{kind}"),
    }
}

/// Starts a deployment with a tool and a secret of each kind, whose values begin with the canary.
async fn with_keys() -> Option<(Deployment, World, String)> {
    let deployment = Deployment::provisioned().await;
    let canary = canary(&deployment);
    let keys = KINDS.map(|kind| (kind.0.to_owned(), json!(value(&canary, kind))));
    let keys = Value::Object(keys.into_iter().collect()).to_string();
    let files = [
        ("keys.json", keys.as_str()),
        ("keys_server.py", KEYS_SERVER),
    ];
    let world = World::with(&deployment, &files)?;
    started(&deployment, &world).await;
    let tools: Vec<Value> = KINDS.iter().map(|(kind, ..)| tool(&world, kind)).collect();
    world.add(&deployment, &tools);
    let endpoint = world.endpoint();
    let url = format!("https://{endpoint}/token");
    let source = [
        "--token-url",
        &url,
        "--client",
        "me",
        "--scope",
        "read write",
    ];
    let server = format!("https://{endpoint}");
    let vault = ["--vault-url", &server, "--vault-path", "apps/keys"];
    let at = ["--vault-field", "key", "--vault-version", "2"];
    let vault = [&vault[..], &at, &["--vault-role", "role-of-tests"]].concat();
    for kind in KINDS {
        let (name, inject, _) = kind;
        let mut set = vec!["secret", "set", name];
        set.extend(["--host", &endpoint, "--inject", inject]);
        match name {
            "client" => set.extend(source),
            "vault" => set.extend(&vault),
            "refresh" => set.extend([&source[..], &["--grant", "refresh_token"]].concat()),
            _ => {}
        }
        let ended = give(&deployment, &set, &value(&canary, kind));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    Some((deployment, world, canary))
}

/// Runs a task that calls the tool of each kind, and checks that no answer has a value.
async fn call_each(deployment: &Deployment, world: &World) {
    let (mut rules, mut steps) = (String::new(), String::new());
    for (kind, ..) in KINDS {
        rules += &format!("[[allow]]\ntool = \"keys.{kind}\"\nsecrets = [\"{kind}\"]\n");
        steps += &format!(
            "[[step]]\nid = \"{kind}\"\ntool = \"keys.{kind}\"\nargs = {{ item = \"a b\" }}\n"
        );
    }
    let signed = deployment.sign(&world.contract("keys", &rules)).await;
    let task = deployment.submit(signed, &playbook(&steps)).await;
    let ran = deployment.follow(task, true).await;
    let (outcomes, verified) = (ran.outcomes(), world.lines("verified"));
    assert_eq!(ran.outcome(), "succeeded", "{outcomes:?} {verified:?}");
    for (kind, ..) in KINDS {
        let task = task.to_string();
        let printed = run(deployment, &["output", &task, kind]).printed;
        let marks = printed.matches(&format!("[secret {kind}]")).count();
        assert_eq!(marks, 12, "{printed}");
    }
}

#[tokio::test]
async fn secrets_of_every_kind_do_their_work_and_stand_nowhere() {
    let Some((deployment, world, canary)) = with_keys().await else {
        return;
    };
    call_each(&deployment, &world).await;
    call_each(&deployment, &world).await;
    // The host has checked each of them, and the token endpoint the secrets of the clients and each refresh token.
    let fixed = ["header", "query", "cookie", "basic", "hmac", "sigv4"];
    let first = ["token of client", "client", "token of refresh", "refresh"];
    let second = ["client", "token of refresh", "refresh"];
    let vault = ["login at vault", "value of vault", "end at vault", "vault"];
    let verified = [&fixed[..], &first, &vault, &fixed, &second, &vault].concat();
    assert_eq!(world.lines("verified"), verified);
    assert_eq!(deployment.record().await.count("secret.renewed"), 2);

    let encodings = encodings(&canary);
    assert!(has(format!("x{canary}").as_bytes(), &encodings));
    search_memory(&deployment, &encodings);
    for (place, bytes) in everything(&deployment).await {
        // The queries and forms of requests are the host's own log.
        let is_of_host = place.ends_with("/world/requests");
        let shows = !is_of_host && has(&bytes, &encodings);
        assert!(!shows, "{place} shows a secret");
        let name = place.rsplit('/').next().unwrap_or_default();
        assert!(!name.starts_with("core"), "{place}");
    }
    for author in ACTORS {
        let pid = deployment.pid(author.name()).unwrap();
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let mut lines = limits.lines();
        let core = lines.find(|line| line.starts_with("Max core file size"));
        assert_eq!(
            core.unwrap().split_whitespace().nth(4),
            Some("0"),
            "{author}"
        );
    }
}

//! Keys stay in their files, and no other user can read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bus_schema::{ACTORS, AuthorId, Content};
use harness::{Deployment, NATS};
use serde_json::Value;

use crate::cli::{end, one_sentence, program, run};

/// Every file below `folder` with its bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn init_keeps_what_exists_and_nobody_else_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let workspace = folder.path().join("work");
    let init = |more: &[&str]| {
        let workspace = ["init", "--workspace", workspace.to_str().unwrap()];
        let ended = end(&mut program(Some(&dir), &[&workspace, more].concat()));
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        ended.printed
    };
    let said = init(&[]);
    assert!(
        said.contains(" 0 kept") && said.contains("contractual up --dir"),
        "{said}"
    );
    let before = files(&dir);
    let said = init(&[]);
    assert!(said.contains(": 0 files made"), "{said}");
    assert_eq!(files(&dir), before);

    for path in before.keys() {
        for path in path.ancestors().take_while(|path| path.starts_with(&dir)) {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        }
    }
    // A lost key is made again; only the server's list of keys changes with it.
    let lost = dir.join("worker/user.nk");
    fs::remove_file(&lost).unwrap();
    init(&[]);
    let mut after = files(&dir);
    assert_ne!(after.remove(&lost), None);
    let let_in = dir.join("nats/local.conf");
    assert_ne!(after.remove(&let_in).as_ref(), Some(&before[&let_in]));
    assert!(after.iter().all(|(path, bytes)| before[path] == *bytes));
}

#[test]
fn a_service_refuses_a_key_that_others_can_read() {
    let deployment = Deployment::new();
    for author in ACTORS {
        for name in ["signing.pem", "key.pem", "user.nk"] {
            let key = deployment.dir().of(author.name()).join(name);
            fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
            let ended = run(&deployment, &["service", author.name()]);
            assert_eq!(ended.code, Some(64), "{author} {name}: {}", ended.said);
            let last = ended.said.lines().last().unwrap();
            assert!(
                last.contains("chmod") && last.contains(name),
                "{author} {name}: {last}"
            );
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    let owner = deployment.dir().owner_key();
    fs::set_permissions(&owner, fs::Permissions::from_mode(0o640)).unwrap();
    let ended = run(&deployment, &["halt"]);
    assert_eq!(ended.code, Some(64), "{}", ended.said);
    one_sentence(&ended.said, &["chmod", "signing.pem"]);
}

/// All secrets of the deployment, as text.
fn secrets(deployment: &Deployment) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, bytes) in files(deployment.dir().path()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // NKeys, and the keys that open secrets.
        let is_bare = path
            .extension()
            .is_some_and(|name| name == "nk" || name == "key");
        if is_bare {
            found.insert(text.trim().to_owned());
        } else if text.contains("PRIVATE KEY") {
            found.extend(
                text.lines()
                    .filter(|line| !line.contains("-----"))
                    .map(str::to_owned),
            );
        }
    }
    for author in ACTORS.iter().chain([&AuthorId::Owner]) {
        let key = deployment.signing_key(*author).to_bytes();
        found.insert(key.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    found
}

/// The contents that a fact names.
fn contents(fact: &Value, found: &mut Vec<Content>) {
    if let Ok(content) = serde_json::from_value(fact.clone()) {
        found.push(content);
    }
    match fact {
        Value::Object(fields) => fields.values().for_each(|field| contents(field, found)),
        Value::Array(items) => items.iter().for_each(|item| contents(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Everything that can be seen of the deployment beside its own files: processes, logs, health, messages and contents.
pub(crate) async fn shown(deployment: &Deployment) -> Vec<(String, Vec<u8>)> {
    let mut shown: Vec<(String, Vec<u8>)> = Vec::new();
    for name in ACTORS.iter().map(|author| author.name()).chain([NATS]) {
        let pid = deployment.pid(name).unwrap();
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            // A file that cannot be read reveals nothing.
            shown.push((path.clone(), fs::read(path).unwrap_or_default()));
        }
        let log = deployment.log(name);
        assert!(!log.is_empty(), "{name}");
        shown.push((format!("log of {name}"), log.into_bytes()));
    }
    for author in ACTORS {
        let path = deployment.dir().state(*author).join("health.json");
        shown.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    let operator = deployment.operator("owner").await;
    for message in deployment.record().await.messages {
        let place = format!("message {}", message.stored.seq);
        shown.push((place.clone(), format!("{:?}", message.stored).into_bytes()));
        shown.push((place.clone(), message.stored.body.clone()));
        let mut named = Vec::new();
        contents(&message.fact, &mut named);
        for content in named {
            for author in AuthorId::Owner.contents() {
                let bytes = operator.get(*author, &content).await.ok().flatten();
                shown.push((format!("content of {place}"), bytes.unwrap_or_default()));
            }
        }
    }
    for (place, bytes) in files(&deployment.nats().store()) {
        shown.push((place.display().to_string(), bytes));
    }
    shown
}

#[tokio::test]
async fn no_secret_is_seen_outside_of_its_file() {
    let deployment = Deployment::running().await;
    deployment.run_demo_task().await;
    let secrets = secrets(&deployment);
    // Twelve users with certificate and NKey, eight that sign, two that open secrets, the authority, and the server's certificate.
    assert!(secrets.len() > 30, "{}", secrets.len());
    let shown = shown(&deployment).await;
    assert!(
        shown
            .iter()
            .any(|(place, bytes)| place.starts_with("content") && !bytes.is_empty())
    );
    for (place, bytes) in shown {
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !secrets.iter().any(|secret| text.contains(secret)),
            "{place} shows a secret"
        );
    }
}

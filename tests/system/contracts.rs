//! The life of a contract by the command line: signed, in force, replaced, refused, revoked.

use std::fs;

use contractual::example;
use harness::{Deployment, SOON, eventually, playbook};
use serde_json::Value;

use crate::cli::{Ended, run};

/// The example's contract in another version, with one call more of everything.
fn version(version: u32) -> String {
    assert!(example::CONTRACT.contains("version  = 1\n"));
    example::CONTRACT.replace("version  = 1\n", &format!("version  = {version}\n"))
}

fn written(deployment: &Deployment, name: &str, text: &str) -> String {
    let path = deployment.scratch().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The versions and states in the order of `contract list`.
fn listed(deployment: &Deployment) -> Vec<(u64, String, u64, u64)> {
    let ended = run(deployment, &["contract", "list", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let all: Vec<Value> = serde_json::from_str(&ended.printed).unwrap();
    let count = |one: &Value, key: &str| one[key].as_u64().unwrap();
    all.iter()
        .map(|one| {
            assert_eq!(one["name"], "stocktake");
            let state = one["state"].as_str().unwrap().to_owned();
            (
                count(one, "version"),
                state,
                count(one, "tasks"),
                count(one, "open"),
            )
        })
        .collect()
}

fn state(version: u64, state: &str, tasks: u64, open: u64) -> (u64, String, u64, u64) {
    (version, state.to_owned(), tasks, open)
}

#[tokio::test]
async fn contract_is_signed_replaced_refused_and_revoked_and_listed_as_it_stands() {
    let deployment = Deployment::running().await;
    assert_eq!(listed(&deployment), []);
    let first = written(&deployment, "first.toml", &version(1));
    let signed = run(&deployment, &["contract", "sign", &first]);
    assert_eq!(signed.code, Some(0), "{}", signed.said);
    assert!(signed.printed.contains("in force"), "{}", signed.printed);
    let contract = contractual::command::contract::document::digest(first.as_ref()).unwrap();
    let task = deployment.submit(contract, playbook()).await;
    assert_eq!(deployment.follow(task, true).await.outcome(), "succeeded");
    assert_eq!(listed(&deployment), [state(1, "active", 1, 0)]);

    // A newer version takes its place, and the lines that change are shown.
    let text = version(2).replace("calls = 10", "calls = 11");
    let second = written(&deployment, "second.toml", &text);
    let signed = run(&deployment, &["contract", "sign", &second, "--json"]);
    assert_eq!(signed.code, Some(0), "{}", signed.said);
    let said: Value = serde_json::from_str(&signed.printed).unwrap();
    assert_eq!(
        (said["verdict"].as_str(), said["supersedes"].as_u64()),
        (Some("activated"), Some(1))
    );
    let changes = said["changes"].as_array().unwrap();
    assert!(changes.contains(&"- calls = 10".into()) && changes.contains(&"+ calls = 11".into()));
    assert_eq!(
        listed(&deployment),
        [state(2, "active", 0, 0), state(1, "superseded", 1, 0)]
    );

    // A version that is not newer is refused, and the one in force stays.
    let again = run(&deployment, &["contract", "sign", &first]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.said.contains("write `version = 3`"), "{}", again.said);
    assert!(
        again
            .said
            .contains("version 2 of `stocktake` stays in force"),
        "{}",
        again.said
    );
    let standing = [state(2, "active", 0, 0), state(1, "refused", 1, 0)];
    assert_eq!(listed(&deployment), standing);

    let revoked = run(&deployment, &["contract", "revoke", "stocktake"]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.said);
    assert_eq!(listed(&deployment)[0], state(2, "revoked", 0, 0));
    let contract = contractual::command::contract::document::digest(second.as_ref()).unwrap();
    let task = deployment.submit(contract, playbook()).await;
    assert_eq!(deployment.follow(task, true).await.outcome(), "rejected");
    let again = run(&deployment, &["contract", "revoke", "stocktake"]);
    assert_eq!(again.code, Some(1), "{again:?}");
}

/// Another catalogue than the one with which the contract was signed.
#[tokio::test]
async fn changed_tool_is_shown_as_it_was_and_is_and_is_signed_so() {
    let deployment = Deployment::running().await;
    let file = written(&deployment, "first.toml", &version(1));
    let signed = run(&deployment, &["contract", "sign", &file, "--json"]);
    assert_eq!(signed.code, Some(0), "{}", signed.said);
    assert!(!signed.printed.contains("drift"), "{}", signed.printed);

    let path = deployment.dir().catalogue();
    let tools = fs::read_to_string(&path).unwrap();
    let write = "\"effect\": \"write\", \"risk\": \"low\"";
    let changed = tools.replacen("\"effect\": \"read\"", write, 1);
    assert_ne!(changed, tools);
    fs::write(&path, changed).unwrap();
    let added = run(&deployment, &["tool", "add", path.to_str().unwrap()]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let suspends = "suspends `stocktake` version 1: `file.list` has changed";
    assert!(added.printed.contains(suspends), "{}", added.printed);
    let differs = "`file.list` /effect: was \"read\", is \"write\"";
    eventually(SOON, async || match &listed(&deployment)[..] {
        [one] if *one == state(1, "suspended", 0, 0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let list = run(&deployment, &["contract", "list"]);
    assert!(list.printed.contains(differs), "{}", list.printed);
    let doctor = run(&deployment, &["doctor"]);
    assert_eq!(doctor.code, Some(2), "{}", doctor.printed);
    assert!(doctor.printed.contains(differs), "{}", doctor.printed);

    let signed = run(&deployment, &["contract", "sign", &file]);
    assert_eq!(signed.code, Some(0), "{}", signed.said);
    assert!(signed.printed.contains(differs), "{}", signed.printed);
    assert_eq!(listed(&deployment), [state(1, "active", 0, 0)]);
    let contract = contractual::command::contract::document::digest(file.as_ref()).unwrap();
    let task = deployment.submit(contract, playbook()).await;
    assert_eq!(deployment.follow(task, true).await.outcome(), "succeeded");
    let doctor = run(&deployment, &["doctor"]);
    assert!(!doctor.printed.contains(differs), "{}", doctor.printed);
}

#[tokio::test]
async fn revocation_refuses_what_waits_and_what_is_not_claimed() {
    let deployment = Deployment::running().await;
    let contract = deployment.sign(example::CONTRACT).await;
    let task = deployment.submit(contract, playbook()).await;
    // The task asks before it writes the report, and nobody answers.
    eventually(SOON, async || {
        let events = deployment.gateway().task(task).await.unwrap().events;
        let asked = events
            .iter()
            .any(|event| event.kind == "approval.requested");
        if asked {
            Ok(())
        } else {
            Err(format!("{} events", events.len()))
        }
    })
    .await;
    assert_eq!(listed(&deployment), [state(1, "active", 1, 1)]);
    let revoked: Ended = run(&deployment, &["contract", "revoke", "stocktake", "--json"]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.said);
    let said: Value = serde_json::from_str(&revoked.printed).unwrap();
    assert_eq!(said["open"], 1);
    let ran = deployment.follow(task, false).await;
    let record = deployment.record().await;
    let after = |kind: &str| {
        let seq = said["seq"].as_u64().unwrap();
        record.of(kind).filter(|one| one.stored.seq > seq).count()
    };
    assert_eq!((after("action.granted"), after("action.started")), (0, 0));
    assert_eq!(ran.outcome(), "failed");
    let refused = record.of("action.refused");
    let codes: Vec<_> = refused.map(|one| one.fact["code"].clone()).collect();
    assert!(codes.contains(&"no_contract".into()), "{codes:?}");
}

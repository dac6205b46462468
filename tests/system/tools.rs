//! The signed catalogue: the owner adds and removes tools while everything runs, and nobody else does.

use std::fs;

use bus_schema::{
    ACTORS, AuthorId, CatalogueSigned, Deployment as OfDeployment, Draft, Owner, Sealed,
};
use contractual::example;
use harness::{Deployment, SOON, Stolen, eventually};
use serde_json::{Value, json};

use crate::{
    cli::{Ended, run},
    scene::{contract, playbook},
};

/// A tool as a person writes it: without digests.
fn word_count() -> Value {
    json!({
        "name": "word.count", "description": "Counts the words of a file.", "effect": "read", "output": "trusted",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"],
            "additionalProperties": false},
        "exec": {
            "program": "wc", "writable": false,
            "argv": [{"literal": "-w"}, {"value": {"name": "path", "kind": "path", "prefix": "./"}}],
            "limits": {"wall_ms": 10_000, "cpu_ms_max": 5_000, "output_bytes_max": 4_096,
                "memory_bytes_max": 268_435_456, "processes_max": 8, "file_bytes_max": 0, "files_open_max": 64},
        },
    })
}

fn written(deployment: &Deployment, name: &str, text: &str) -> String {
    let path = deployment.scratch().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn good(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// The states of the contracts in `contract list`.
fn states(deployment: &Deployment) -> Vec<String> {
    let list = good(run(deployment, &["contract", "list", "--json"]));
    let all: Vec<Value> = serde_json::from_str(&list.printed).unwrap();
    let states = all
        .iter()
        .map(|one| one["state"].as_str().unwrap().to_owned());
    states.collect()
}

async fn until_state(deployment: &Deployment, state: &str) {
    eventually(SOON, async || match &states(deployment)[..] {
        [one] if one == state => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn a_tool_is_added_used_and_removed_without_a_restart() {
    let deployment = Deployment::running().await;
    let pids = || -> Vec<_> {
        let services = ACTORS.iter().map(|author| deployment.pid(author.name()));
        services.collect()
    };
    let before = pids();
    let (invoice, _) = example::INVOICES[0];
    let text = contract("count", "[[allow]]\ntool = \"word.count\"\n");
    let steps = playbook(&format!(
        "[[step]]\nid = \"count\"\ntool = \"word.count\"\nargs = {{ path = \"{invoice}\" }}\n"
    ));
    let file = written(&deployment, "contract.toml", &text);
    let unknown = run(&deployment, &["contract", "sign", &file]);
    assert_eq!(unknown.code, Some(64), "{unknown:?}");

    let tool = written(&deployment, "word-count.json", &word_count().to_string());
    let added = good(run(&deployment, &["tool", "add", &tool, "--json"]));
    let said: Value = serde_json::from_str(&added.printed).unwrap();
    assert_eq!(said["version"], 2, "{said}");
    assert_eq!(
        said["read_by"],
        json!(["policy", "runner", "egress"]),
        "{said}"
    );
    let signed = deployment.sign(&text).await;
    let task = deployment.submit(signed, &steps).await;
    assert_eq!(deployment.follow(task, false).await.outcome(), "succeeded");
    let list = good(run(&deployment, &["tool", "list"]));
    assert!(list.printed.contains("word.count"), "{}", list.printed);
    let again = good(run(&deployment, &["tool", "add", &tool]));
    assert!(again.printed.contains("nothing was signed"), "{again:?}");
    assert_eq!(run(&deployment, &["tool", "diff"]).code, Some(0));

    let removed = good(run(&deployment, &["tool", "remove", "word.count"]));
    for part in ["`word.count` is gone", "suspends `count` version 1"] {
        assert!(removed.printed.contains(part), "{}", removed.printed);
    }
    until_state(&deployment, "suspended").await;
    let list = good(run(&deployment, &["contract", "list"]));
    assert!(list.printed.contains("`word.count` is gone"), "{list:?}");
    let task = deployment.submit(signed, &steps).await;
    assert_eq!(deployment.follow(task, false).await.outcome(), "rejected");
    assert_eq!(
        run(&deployment, &["tool", "show", "word.count"]).code,
        Some(1)
    );

    assert_eq!(pids(), before);
    let replayed = good(run(&deployment, &["contract", "replay"]));
    assert!(
        replayed.printed.contains("1 verdicts are identical"),
        "{replayed:?}"
    );
    let verified = good(run(&deployment, &["audit", "verify"]));
    assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
}

#[tokio::test]
async fn nobody_but_the_owner_changes_the_tools() {
    let deployment = Deployment::running().await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");

    // An edit of the working copy is no signature, not even after a restart.
    let copy = deployment.dir().catalogue();
    let text = fs::read_to_string(&copy).unwrap();
    let edited = text.replacen("Lists the regular files", "Lists all files", 1);
    assert_ne!(edited, text);
    fs::write(&copy, &edited).unwrap();
    for author in [AuthorId::Policy, AuthorId::Runner] {
        deployment.stop(author).await;
        deployment.start(author).await;
    }
    let differs = run(&deployment, &["tool", "diff"]);
    assert_eq!(differs.code, Some(2), "{differs:?}");
    assert!(
        differs.printed.contains("`file.list` /description"),
        "{differs:?}"
    );

    // With the owner's identity on the bus, and the key of policy.
    let mut thief: Stolen<'_, Owner> = deployment.steal().await;
    thief.key = deployment.signing_key(AuthorId::Policy);
    thief.say(&empty(&deployment, 9)).await;
    assert_eq!(deployment.record().await.junk().count(), 1);

    // With the owner's own key: an older version, and the present one with another content.
    let owner: Stolen<'_, Owner> = deployment.steal().await;
    for version in [0, 1] {
        owner.say(&empty(&deployment, version)).await;
    }
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    assert_eq!(states(&deployment), ["active"]);

    // The owner signs the edit.
    let added = good(run(&deployment, &["tool", "add", copy.to_str().unwrap()]));
    assert!(
        added.printed.contains("version 2 of the catalogue"),
        "{added:?}"
    );
    until_state(&deployment, "suspended").await;
}

/// A signature of an empty catalogue.
fn empty(deployment: &Deployment, version: u32) -> Draft<Owner> {
    let sealed = Sealed::new(deployment.clock().salt(), b"[]").unwrap();
    let document = sealed.content();
    let fact = CatalogueSigned { version, document };
    Draft::of(OfDeployment, fact).with(sealed)
}

#[tokio::test]
async fn until_a_catalogue_is_signed_no_contract_comes_into_force() {
    let deployment = Deployment::new();
    let copy = deployment.dir().catalogue();
    let aside = deployment.scratch().join("aside.json");
    fs::rename(&copy, &aside).unwrap();
    deployment.nats().start().await;
    deployment.provision().await;
    deployment.start_all().await;
    let file = written(&deployment, "contract.toml", harness::contract());
    for command in [&["contract", "sign", &file][..], &["tool", "list"]] {
        let ended = run(&deployment, command);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.said.contains("no catalogue is signed"), "{ended:?}");
    }
    for author in [AuthorId::Policy, AuthorId::Runner] {
        crate::scene::troubled(&deployment, author, "no catalogue is signed").await;
    }
    good(run(&deployment, &["tool", "add", aside.to_str().unwrap()]));
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
}

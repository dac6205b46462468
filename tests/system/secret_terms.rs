//! The commands about secrets: a test of one end to end, the end of one, and keys that were replaced.

use std::fs;

use bus_schema::AuthorId;
use harness::Deployment;
use serde_json::{Value, json};

use crate::{
    cli::run,
    egress::{World, signed_under},
    secret_calls::{KEYS, give, set, with_tool},
};

/// A deployment with a tool, its contract, and its secret.
async fn with_secret() -> Option<(Deployment, World)> {
    let (deployment, world) = with_tool().await?;
    set(&deployment, &world.endpoint(), "a value for this host");
    Some((deployment, world))
}

async fn sign(deployment: &Deployment, world: &World) {
    signed_under(deployment, (&world.head(), KEYS), "world.echo").await;
}

#[tokio::test]
async fn a_test_of_a_secret_says_what_its_host_says() {
    let Some((deployment, world)) = with_secret().await else {
        return;
    };
    let test = |more: &[&str]| run(&deployment, &[&["secret", "test", "crm"], more].concat());
    let ended = test(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .said
            .contains("no contract in force names the tool `world.echo`"),
        "{ended:?}"
    );
    sign(&deployment, &world).await;
    let ended = test(&[]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.said.contains("needs the arguments item"), "{ended:?}");
    let ended = test(&["--arg", "item=all"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let endpoint = world.endpoint();
    let took = format!("crm version 1: sent to {endpoint}, which took it");
    assert!(ended.printed.contains(&took), "{ended:?}");
    assert!(!ended.printed.contains("a value for") && !ended.said.contains("a value for"));
    // The host refuses it.
    let ended = test(&["--arg", "item=refused"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.said.contains("was released for") && ended.said.contains("401"),
        "{ended:?}"
    );
    assert_eq!(world.seen().len(), 2);
    // It is not released.
    assert_eq!(run(&deployment, &["secret", "revoke", "crm"]).code, Some(0));
    let ended = test(&["--arg", "item=all"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.said.contains("was not released") && ended.said.contains("revoked"),
        "{ended:?}"
    );
    assert_eq!(world.seen().len(), 2);
}

#[tokio::test]
async fn a_forgotten_secret_is_erased_and_stays_on_record() {
    let Some((deployment, _world)) = with_secret().await else {
        return;
    };
    assert_eq!(
        give(&deployment, &["secret", "rotate", "crm"], "another value").code,
        Some(0)
    );
    let sealed = async || {
        let record = deployment.record().await;
        let operator = deployment.operator("owner").await;
        let mut found = 0;
        for signed in record.of("secret.signed") {
            let content = serde_json::from_value(signed.fact["sealed"].clone()).unwrap();
            found += usize::from(
                operator
                    .get(AuthorId::Owner, &content)
                    .await
                    .unwrap()
                    .is_some(),
            );
        }
        (record.count("secret.signed"), found)
    };
    assert_eq!(sealed().await, (2, 2));
    let ended = run(&deployment, &["secret", "forget", "crm"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.printed.contains("all 2 versions erased"), "{ended:?}");
    assert_eq!(sealed().await, (2, 0));
    let verified = run(&deployment, &["audit", "verify"]);
    assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
    // It can be given again.
    let ended = set(&deployment, "api.example.com", "a third value");
    assert!(ended.printed.contains("crm version 3"), "{ended:?}");
}

#[tokio::test]
async fn new_sealing_keys_open_no_old_value_and_doctor_names_it() {
    let Some((deployment, world)) = with_secret().await else {
        return;
    };
    sign(&deployment, &world).await;
    for author in [AuthorId::Egress, AuthorId::Broker] {
        deployment.stop(author).await;
        fs::remove_file(deployment.dir().of(author.name()).join("sealing.key")).unwrap();
    }
    let workspace = deployment.workspace().display().to_string();
    let made = run(&deployment, &["init", "--workspace", &workspace]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let provisioned = run(&deployment, &["provision"]);
    assert_eq!(provisioned.code, Some(0), "{provisioned:?}");
    assert!(
        provisioned.printed.contains("a new roster"),
        "{provisioned:?}"
    );
    for author in [AuthorId::Egress, AuthorId::Broker] {
        deployment.start(author).await;
    }
    let listed = run(&deployment, &["secret", "list"]);
    assert!(
        listed.printed.contains("contractual secret rotate crm"),
        "{listed:?}"
    );
    let finding = || {
        let printed = run(&deployment, &["--json", "doctor"]).printed;
        let all: Vec<Value> = serde_json::from_str(&printed).unwrap();
        all.into_iter()
            .find(|one| one["what"] == "secrets")
            .unwrap()
    };
    let found = finding();
    assert_eq!(found["ok"], json!(false));
    assert!(
        found["text"].as_str().unwrap().ends_with(": crm"),
        "{found}"
    );
    let test = || run(&deployment, &["secret", "test", "crm", "--arg", "item=all"]);
    let ended = test();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.said.contains("contractual secret rotate"),
        "{ended:?}"
    );
    assert_eq!(world.seen().len(), 0);

    let rotated = give(
        &deployment,
        &["secret", "rotate", "crm"],
        "the value once more",
    );
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    assert_eq!(finding()["ok"], json!(true));
    let ended = test();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.seen().len(), 1);
}

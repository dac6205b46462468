//! A stolen NKey without the signing key: readers skip the junk that it stores, and `doctor` names the identity until
//! it has a new NKey.

use std::fs;

use async_nats::HeaderMap;
use bus_schema::ACTORS;
use harness::{Client, Deployment};
use serde_json::Value;

use crate::cli;

/// The finding of `doctor` about junk: true if it is good, and its text.
fn found(deployment: &Deployment) -> (bool, String) {
    let doctor = cli::run(deployment, &["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_str(&doctor.printed).unwrap();
    let junk = findings.iter().find(|one| one["what"] == "junk").unwrap();
    (
        junk["ok"] == true,
        junk["text"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn junk_is_told_with_whose_identity_until_that_has_another_nkey() {
    let deployment = Deployment::running().await;
    let old = deployment.options("worker", "worker");
    let thief = deployment.client("worker").await;
    let task = deployment.clock().uuid();
    let places = [
        "event.worker.-.service.started".to_owned(),
        format!("event.worker.{task}.task.finished"),
        "event.worker.nonsense.task.finished".to_owned(),
    ];
    for place in &places {
        let stored = thief.store(place, HeaderMap::new(), b"stolen").await;
        stored.unwrap().stored().unwrap();
    }
    let elsewhere = "event.policy.action.granted";
    assert!(
        thief
            .store(elsewhere, HeaderMap::new(), b"x")
            .await
            .is_err()
    );
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    let stored = "3 stored with the identity of worker from ";
    let nkey = deployment.dir().of("worker").join("user.nk");
    cli::the_only_finding(&deployment, "junk", stored, nkey.to_str().unwrap()).await;
    let verified = cli::run(&deployment, &["audit", "verify"]);
    assert!(verified.printed.contains(" 3 junk"), "{verified:?}");
    for place in &places {
        let mut lines = verified.printed.lines();
        let line = lines.find(|line| line.starts_with("junk ") && line.contains(place));
        assert!(
            line.unwrap()
                .ends_with("; stored with the identity of worker")
        );
    }

    // As the fix says.
    for author in ACTORS {
        deployment.stop(*author).await;
    }
    deployment.nats().stop().await;
    fs::remove_file(&nkey).unwrap();
    let local = deployment.dir().nats().join("local.conf");
    let text = fs::read_to_string(&local).unwrap();
    let rest: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("NKEY_WORKER: "))
        .collect();
    fs::write(&local, rest.join("\n")).unwrap();
    let init = cli::run(&deployment, &["init"]);
    assert_eq!(init.code, Some(0), "{}", init.said);
    deployment.nats().start().await;
    deployment.start_all().await;
    let refused = Client::connect(old, &deployment.url()).await;
    assert!(refused.is_err());
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    let (good, text) = found(&deployment);
    assert!(good && text.contains(stored), "{text}");
}

//! Junk: readers skip what a stolen NKey stores, `doctor` names the identity until it has a new NKey, and a service with
//! an old signing key stores nothing.

use std::fs;

use actor::signing_key;
use async_nats::HeaderMap;
use bus_schema::{ACTORS, AuthorId};
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

#[tokio::test]
async fn a_service_whose_key_the_roster_does_not_name_stores_nothing_and_says_what_to_do() {
    let deployment = Deployment::provisioned().await;
    deployment.start(AuthorId::Audit).await;
    let path = deployment.dir().of("worker").join("signing.pem");
    let kept = path.with_extension("kept");
    fs::rename(&path, &kept).unwrap();
    signing_key::create(&path).unwrap();
    let stored = deployment.record().await.messages.len();
    for _ in 0..2 {
        deployment.launch(AuthorId::Worker);
        let ended = deployment.ended("worker").await;
        assert_eq!(ended.code(), Some(1));
        let log = deployment.log("worker");
        assert!(
            log.contains("roster does not name my signing key") && log.contains("contractual init"),
            "{log}"
        );
    }
    assert_eq!(deployment.record().await.messages.len(), stored);
    // With the key that the roster names it starts, and ends when the owner signs another roster.
    let other = fs::read(&path).unwrap();
    fs::rename(&kept, &path).unwrap();
    deployment.start(AuthorId::Worker).await;
    fs::write(&path, other).unwrap();
    let init = cli::run(&deployment, &["init"]);
    assert_eq!(init.code, Some(0), "{init:?}");
    deployment.provision().await;
    assert_eq!(deployment.ended("worker").await.code(), Some(1));
    deployment.start(AuthorId::Worker).await;
    assert_eq!(deployment.record().await.junk().count(), 0);
}

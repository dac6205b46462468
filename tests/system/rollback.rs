//! Rollback: audit notices a stream from yesterday by its log, nothing is granted on it, and the documented fix works.

use std::{fs, path::Path};

use bus_schema::{ACTORS, AuthorId};
use harness::{Deployment, SOON, all_but, eventually};
use serde_json::Value;

use crate::{
    adopt::{adopted, lapses, runs_after_adoption},
    cli,
    projections::{copy, stop_all},
    scene::{LIST, MAY_LIST, contract, kinds, playbook, policy_has_looked, troubled, until},
};

async fn stop(deployment: &Deployment) {
    stop_all(deployment).await;
    deployment.nats().stop().await;
}

async fn start_nats_and(deployment: &Deployment, authors: &[AuthorId]) {
    deployment.nats().start().await;
    for author in authors {
        deployment.start(*author).await;
    }
}

fn put_back(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    copy(from, to);
}

/// The fix of `doctor` for a bad finding.
fn fix(deployment: &Deployment, what: &str) -> String {
    let doctor = cli::run(deployment, &["doctor", "--json"]);
    assert_eq!(doctor.code, Some(2), "{doctor:?}");
    let findings: Vec<Value> = serde_json::from_str(&doctor.printed).unwrap();
    let found = findings.into_iter().find(|one| one["what"] == what);
    let found = found.unwrap();
    assert!(found["text"].as_str().unwrap().contains("entry"), "{found}");
    found["fix"].as_str().unwrap().to_owned()
}

/// Checks that everything runs, is healthy, and works.
async fn is_well(deployment: &Deployment) {
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    eventually(SOON, async || {
        let doctor = cli::run(deployment, &["doctor"]);
        let good = doctor.code == Some(0);
        if good { Ok(()) } else { Err(doctor.printed) }
    })
    .await;
    let verified = cli::run(deployment, &["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// Runs two days of work; returns the copies of the stream and of the log from between them.
async fn two_days(deployment: &Deployment) -> (std::path::PathBuf, std::path::PathBuf) {
    deployment.run_demo_task().await;
    stop(deployment).await;
    let yesterday = deployment.scratch().join("yesterday");
    let (stream, log) = (yesterday.join("stream"), yesterday.join("audit"));
    copy(&deployment.nats().store(), &stream);
    copy(&deployment.dir().of("audit"), &log);
    start_nats_and(deployment, ACTORS).await;
    deployment.run_demo_task().await;
    stop(deployment).await;
    (stream, log)
}

#[tokio::test]
async fn stream_of_yesterday_under_the_log_of_today_gets_no_heads_and_no_grants() {
    let deployment = Deployment::running().await;
    let (stream, _) = two_days(&deployment).await;
    let today = deployment.scratch().join("today");
    copy(&deployment.nats().store(), &today);
    put_back(&stream, &deployment.nats().store());
    let others = all_but(AuthorId::Audit);
    start_nats_and(&deployment, &others).await;
    deployment.launch(AuthorId::Audit);
    troubled(&deployment, AuthorId::Audit, "log").await;
    troubled(&deployment, AuthorId::Policy, "no grants").await;
    let granted = deployment.record().await.count("action.granted");
    let proposed = deployment.record().await.count("action.proposed");
    let signed = deployment.sign(&contract("list", MAY_LIST)).await;
    deployment.submit(signed, &playbook(LIST)).await;
    until(&deployment, "action.proposed", proposed + 1).await;
    policy_has_looked(&deployment).await;
    let record = deployment.record().await;
    assert_eq!(
        record.count("action.granted"),
        granted,
        "{}",
        kinds(&record)
    );
    // The fix, the same in every place.
    let newest = "put the newest copy of the stream (`nats/data`) back";
    let said = fix(&deployment, "log and stream");
    assert!(said.contains(newest), "{said}");
    troubled(&deployment, AuthorId::Audit, "`contractual audit verify`").await;
    let verify = cli::run(&deployment, &["audit", "verify"]);
    assert_eq!(verify.code, Some(2), "{verify:?}");
    cli::one_sentence(&verify.said, &["entry ", &said]);
    stop(&deployment).await;
    put_back(&today, &deployment.nats().store());
    start_nats_and(&deployment, ACTORS).await;
    // It read the other stream, and cannot know which one is right.
    adopted(&deployment).await;
    is_well(&deployment).await;
}

/// A damaged log with only a copy of yesterday: the copy of the log alone is refused; with its anchor it catches up.
#[tokio::test]
async fn damaged_log_is_put_back_with_its_anchor_and_catches_up() {
    let deployment = Deployment::running().await;
    let (_, yesterday) = two_days(&deployment).await;
    let audit = deployment.dir().of("audit");
    let tiles = audit.join("log/tile");
    fs::rename(&tiles, deployment.scratch().join("lost")).unwrap();
    deployment.nats().start().await;
    deployment.launch(AuthorId::Audit);
    deployment.ended("audit").await;
    let both = "put `audit/log` and `audit/anchor` back from one backup";
    let logged = deployment.log("audit");
    assert!(logged.contains(both), "{logged}");
    let verify = cli::run(&deployment, &["audit", "verify", "--offline"]);
    cli::one_sentence(&verify.said, &["is missing", both]);
    put_back(&yesterday.join("log"), &audit.join("log"));
    deployment.launch(AuthorId::Audit);
    deployment.ended("audit").await;
    let logged = deployment.log("audit");
    assert!(
        logged.contains("rolled back") && logged.contains(both),
        "{logged}"
    );
    put_back(&yesterday.join("anchor"), &audit.join("anchor"));
    deployment.start_all().await;
    is_well(&deployment).await;
}

/// The attack itself: audit does not notice a rollback of stream, log and anchor at once, so the anchor belongs on
/// another volume. This is also the fix if there is no newer copy of the stream. The runner notices it, and waits for
/// the owner.
#[tokio::test]
async fn stream_and_log_of_yesterday_together_are_believed_by_all_but_the_runner() {
    let deployment = Deployment::running().await;
    let (stream, log) = two_days(&deployment).await;
    put_back(&stream, &deployment.nats().store());
    put_back(&log, &deployment.dir().of("audit"));
    start_nats_and(&deployment, ACTORS).await;
    let signed = deployment.sign(&contract("list", MAY_LIST)).await;
    let task = deployment.submit(signed, &playbook(LIST)).await;
    lapses(&deployment, task).await;
    adopted(&deployment).await;
    runs_after_adoption(&deployment, task).await;
    is_well(&deployment).await;
}

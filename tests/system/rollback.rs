//! Rollback: a stream restored from yesterday is noticed by its log, and nothing is granted on it.

use std::{fs, path::Path};

use bus_schema::{ACTORS, AuthorId};
use harness::Deployment;

use crate::{
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

/// Two days of work; returns the copies of the stream and of the log that were made in between.
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
    put_back(&stream, &deployment.nats().store());
    let others = [
        AuthorId::Policy,
        AuthorId::Runner,
        AuthorId::Worker,
        AuthorId::Gateway,
    ];
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
    let doctor = deployment.command(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!doctor.status.success(), "{said}");
    let line = said.lines().find(|line| line.contains("log and stream"));
    assert!(
        line.is_some_and(|line| line.starts_with("BAD") && line.contains("entry")),
        "{said}"
    );
}

/// The attack itself: whoever can roll back the stream and the log and its anchor at once is not noticed here.
/// That is why the anchor belongs on another volume.
#[tokio::test]
async fn stream_and_log_of_yesterday_together_are_believed() {
    let deployment = Deployment::running().await;
    let (stream, log) = two_days(&deployment).await;
    put_back(&stream, &deployment.nats().store());
    put_back(&log, &deployment.dir().of("audit"));
    start_nats_and(&deployment, ACTORS).await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
}

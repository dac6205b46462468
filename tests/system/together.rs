//! Batches: events about several tasks are stored together, or one by one if the server refuses batches.

use std::collections::BTreeSet;

use async_nats::HeaderMap;
use bus_schema::{AuthorId, TaskId};
use harness::Deployment;

use crate::{
    cli::run,
    scene::{LIST, MAY_LIST, contract, playbook, until},
};

const TASKS: usize = 24;

/// Makes the proposals of many tasks wait together: they are submitted while policy is stopped.
async fn handed_in(deployment: &Deployment) -> Vec<TaskId> {
    let contract = deployment.sign(&contract("together", MAY_LIST)).await;
    deployment.kill(AuthorId::Policy);
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(deployment.submit(contract, &playbook(LIST)).await);
    }
    until(deployment, "task.submitted", TASKS).await;
    tasks
}

/// Checks that every task succeeded, and that each proposal got exactly one verdict.
async fn all_done(deployment: &Deployment, tasks: Vec<TaskId>) {
    for task in tasks {
        assert_eq!(deployment.follow(task, false).await.outcome(), "succeeded");
    }
    let record = deployment.record().await;
    assert_eq!(record.junk().count(), 0);
    assert_eq!(record.count("action.granted"), TASKS);
    assert_eq!(record.count("action.finished"), TASKS);
}

/// The number of events of a kind that were stored in a batch with others.
async fn together(deployment: &Deployment, kind: &str) -> usize {
    let owner = deployment.client("owner").await;
    let record = deployment.record().await;
    let mut count = 0;
    for one in record.of(kind) {
        let message = owner.message(one.stored.seq).await;
        let headers = message.headers.unwrap();
        count += usize::from(headers.get("Nats-Batch-Id").is_some());
    }
    count
}

/// Begins batches until the server refuses another one.
async fn no_more_batches(deployment: &Deployment, author: &str) {
    let client = deployment.client(author).await;
    for n in 0..1000 {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Batch-Id", format!("open-{n}"));
        headers.insert("Nats-Batch-Sequence", "1");
        let subject = format!("event.{author}.-.service.started");
        let opened = client.store(&subject, headers, b"never committed").await;
        if opened.is_ok_and(|ack| ack.stored().is_err()) {
            return;
        }
    }
    panic!("the server takes any number of batches");
}

/// Grants of many tasks wait for the runner, and their contract is revoked: it declines all of them at once.
async fn to_be_declined() -> (Deployment, Vec<TaskId>) {
    let deployment = Deployment::running().await;
    let contract = deployment.sign(&contract("together", MAY_LIST)).await;
    deployment.kill(AuthorId::Runner);
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(deployment.submit(contract, &playbook(LIST)).await);
    }
    until(&deployment, "action.granted", TASKS).await;
    let revoked = run(&deployment, &["contract", "revoke", "together"]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.said);
    (deployment, tasks)
}

/// Checks that each task's grant was declined exactly once.
async fn all_declined(deployment: &Deployment, tasks: Vec<TaskId>) {
    let record = until(deployment, "action.declined", TASKS).await;
    assert_eq!(record.count("action.declined"), TASKS);
    let declined: BTreeSet<_> = record
        .of("action.declined")
        .filter_map(|one| one.task())
        .collect();
    assert_eq!(declined, tasks.into_iter().collect());
}

#[tokio::test]
async fn what_is_said_of_many_tasks_at_once_is_stored_together() {
    let (deployment, tasks) = to_be_declined().await;
    deployment.start(AuthorId::Runner).await;
    all_declined(&deployment, tasks).await;
    assert_eq!(together(&deployment, "action.declined").await, TASKS);
    assert_eq!(deployment.record().await.junk().count(), 0);
}

#[tokio::test]
async fn what_is_said_of_many_tasks_is_stored_one_by_one_while_the_server_takes_no_more_batches() {
    let (deployment, tasks) = to_be_declined().await;
    no_more_batches(&deployment, "worker").await;
    deployment.start(AuthorId::Runner).await;
    all_declined(&deployment, tasks).await;
    assert_eq!(together(&deployment, "action.declined").await, 0);
    let log = deployment.log("runner");
    assert!(log.contains("does not store a batch"), "{log}");
}

#[tokio::test]
async fn what_comes_between_in_one_chain_holds_up_no_other() {
    let (deployment, tasks) = to_be_declined().await;
    let thief = deployment.client("runner").await;
    let task = tasks.first().copied().unwrap();
    let subject = format!("event.runner.{task}.action.declined");
    let flood = async {
        loop {
            let junk = || thief.store(&subject, HeaderMap::new(), b"junk");
            drop(tokio::join!(junk(), junk(), junk(), junk()));
        }
    };
    let others = async {
        until(&deployment, "action.declined", TASKS - 1).await;
    };
    deployment.launch(AuthorId::Runner);
    tokio::select! {
        () = flood => {}
        () = others => {}
    }
    all_declined(&deployment, tasks).await;
    assert!(deployment.record().await.junk().count() > 0);
}

#[tokio::test]
async fn waiting_proposals_get_their_verdicts_together() {
    let deployment = Deployment::running().await;
    let tasks = handed_in(&deployment).await;
    deployment.start(AuthorId::Policy).await;
    all_done(&deployment, tasks).await;
    assert!(together(&deployment, "action.granted").await >= 4);
}

#[tokio::test]
async fn verdicts_come_one_by_one_while_the_server_takes_no_more_batches() {
    let deployment = Deployment::running().await;
    let tasks = handed_in(&deployment).await;
    no_more_batches(&deployment, "worker").await;
    deployment.start(AuthorId::Policy).await;
    all_done(&deployment, tasks).await;
    let log = deployment.log("policy");
    assert!(log.contains("does not store a batch"), "{log}");
}

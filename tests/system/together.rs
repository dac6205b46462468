//! Verdicts about several tasks are stored together, and one by one where the server does not take that.

use async_nats::HeaderMap;
use bus_schema::{AuthorId, TaskId};
use harness::Deployment;

use crate::scene::{LIST, MAY_LIST, contract, playbook, until};

const TASKS: usize = 12;

/// Lets the proposals of many tasks wait for one another: they are handed in while policy is away.
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

/// The last word of every task is that it succeeded, and each proposal got exactly one verdict.
async fn all_done(deployment: &Deployment, tasks: Vec<TaskId>) {
    for task in tasks {
        assert_eq!(deployment.follow(task, false).await.outcome(), "succeeded");
    }
    let record = deployment.record().await;
    assert_eq!(record.junk().count(), 0);
    assert_eq!(record.count("action.granted"), TASKS);
    assert_eq!(record.count("action.finished"), TASKS);
}

/// How many of policy's verdicts were stored together with others.
async fn together(deployment: &Deployment) -> usize {
    let owner = deployment.client("owner").await;
    let record = deployment.record().await;
    let mut count = 0;
    for granted in record.of("action.granted") {
        let message = owner.message(granted.stored.seq).await;
        let headers = message.headers.unwrap();
        count += usize::from(headers.get("Nats-Batch-Id").is_some());
    }
    count
}

#[tokio::test]
async fn waiting_proposals_get_their_verdicts_together() {
    let deployment = Deployment::running().await;
    let tasks = handed_in(&deployment).await;
    deployment.start(AuthorId::Policy).await;
    all_done(&deployment, tasks).await;
    assert!(together(&deployment).await >= 4);
}

#[tokio::test]
async fn verdicts_come_one_by_one_while_the_server_takes_no_more_batches() {
    let deployment = Deployment::running().await;
    let tasks = handed_in(&deployment).await;
    let worker = deployment.client("worker").await;
    for n in 0..1000 {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Batch-Id", format!("open-{n}"));
        headers.insert("Nats-Batch-Sequence", "1");
        let subject = "event.worker.-.service.started";
        let opened = worker.store(subject, headers, b"never committed").await;
        if opened.is_ok_and(|ack| ack.stored().is_err()) {
            break;
        }
    }
    deployment.start(AuthorId::Policy).await;
    all_done(&deployment, tasks).await;
    let log = deployment.log("policy");
    assert!(log.contains("does not store several at once"), "{log}");
}

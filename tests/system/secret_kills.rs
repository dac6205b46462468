//! Egress and broker killed at each step of a release: a truthful end, no second release, no second request.

use bus_schema::AuthorId;
use harness::{Deployment, Ran};
use serde_json::json;

use crate::{
    egress::{World, deployed, failure, submitted_under},
    scene::{first, until},
    secret_calls::{KEYS, set},
};

/// A tool that changes something, of which the host never tells what became.
async fn with_held() -> Option<(Deployment, World)> {
    let (deployment, world) = deployed().await?;
    let tool = world.tool("world.held", |tool| {
        tool["http"]["method"] = json!("POST");
        tool["http"]["path"] = json!("/v2/held");
        tool["http"]["body"] = json!({"text": {"$value": "item"}});
        tool["http"]["secret"] = json!("crm");
        tool["http"]["limits"]["wall_ms"] = json!(8_000);
    });
    world.add(&deployment, &[tool]);
    set(&deployment, &world.endpoint(), "a value of this test");
    Some((deployment, world))
}

/// Begins a call, and waits until egress has claimed it.
async fn begun(deployment: &Deployment, world: &World) -> bus_schema::TaskId {
    let head = world.head();
    let task = submitted_under(deployment, (&head, KEYS), "world.held", "x").await;
    let record = until(deployment, "action.started", 1).await;
    assert_eq!(first(&record, "action.started").unwrap().0, task);
    task
}

/// Waits for the end of a call of unknown outcome, and checks that there is none, also not later.
async fn is_unknown(deployment: &Deployment, task: bus_schema::TaskId) -> Ran {
    let ran = deployment.follow(task, false).await;
    assert_eq!(ran.outcome(), "failed");
    assert_eq!(ran.count("action.finished"), 0);
    assert_eq!(ran.count("action.expired"), 1);
    ran
}

#[tokio::test]
async fn egress_killed_while_it_waits_for_a_secret_sends_nothing_ever() {
    let Some((deployment, world)) = with_held().await else {
        return;
    };
    deployment.freeze("broker", true);
    let task = begun(&deployment, &world).await;
    assert!(deployment.kill(AuthorId::Egress));
    deployment.freeze("broker", false);
    deployment.start(AuthorId::Egress).await;
    is_unknown(&deployment, task).await;
    // The request for it may have reached the broker before egress died.
    let record = deployment.record().await;
    assert!(record.count("secret.released") <= 1);
    assert_eq!(record.count("action.started"), 1);
    assert_eq!(world.requests(), [""; 0]);
}

#[tokio::test]
async fn egress_killed_after_the_release_sends_once_and_the_outcome_is_unknown() {
    let Some((deployment, world)) = with_held().await else {
        return;
    };
    let task = begun(&deployment, &world).await;
    harness::eventually(harness::SOON, async || match world.requests().len() {
        1 => Ok(()),
        n => Err(format!("{n} requests")),
    })
    .await;
    assert!(deployment.kill(AuthorId::Egress));
    assert!(deployment.kill(AuthorId::Broker));
    deployment.start(AuthorId::Broker).await;
    deployment.start(AuthorId::Egress).await;
    is_unknown(&deployment, task).await;
    let record = deployment.record().await;
    assert_eq!(record.count("secret.released"), 1);
    assert_eq!(record.count("action.started"), 1);
    assert_eq!(world.requests().len(), 1);
}

#[tokio::test]
async fn broker_killed_before_it_answers_fails_the_call_before_anything_is_sent() {
    let Some((deployment, world)) = with_held().await else {
        return;
    };
    deployment.freeze("broker", true);
    let task = begun(&deployment, &world).await;
    assert!(deployment.kill(AuthorId::Broker));
    let ran = deployment.follow(task, false).await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = failure(&deployment, &ran);
    assert!(error.contains("nothing was sent"), "{error}");
    assert!(error.contains("broker does not answer"), "{error}");
    deployment.start(AuthorId::Broker).await;
    let record = deployment.record().await;
    assert_eq!(record.count("secret.released"), 0);
    assert_eq!(world.requests(), [""; 0]);
}

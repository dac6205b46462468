//! Egress and broker killed at each step of a release: a truthful end, no second release, no second request.

use bus_schema::AuthorId;
use harness::{Deployment, Ran};
use serde_json::json;

use crate::{
    egress::{World, deployed, failure, submitted_under},
    scene::{first, until},
    secret_calls::{KEYS, give, set},
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
pub(crate) async fn is_unknown(deployment: &Deployment, task: bus_schema::TaskId) -> Ran {
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
    requested(&world, 1).await;
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

/// Waits until the host has this many requests.
async fn requested(world: &World, wanted: usize) {
    harness::eventually(harness::SOON, async || match world.requests().len() {
        n if n == wanted => Ok(()),
        n => Err(format!("{n} requests")),
    })
    .await;
}

#[tokio::test]
async fn egress_killed_while_a_token_endpoint_is_silent_sends_nothing() {
    let Some((deployment, world)) = with_held().await else {
        return;
    };
    // The token endpoint never answers, so the tool's own path is another one.
    let tool = world.tool("world.later", |tool| {
        tool["http"]["path"] = json!("/v2/items/{item}");
        tool["http"]["secret"] = json!("later");
        tool["http"]["limits"]["wall_ms"] = json!(8_000);
    });
    world.add(&deployment, &[tool]);
    let (host, token) = (
        world.endpoint(),
        format!("https://{}/v2/held", world.endpoint()),
    );
    let set = [
        "secret",
        "set",
        "later",
        "--host",
        &host,
        "--inject",
        "header:authorization=Bearer {}",
        "--token-url",
        &token,
        "--client",
        "me",
        "--grant",
        "refresh_token",
    ];
    let ended = give(&deployment, &set, "refresh secret");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (head, keys) = (world.head(), "secrets = [\"later\"]\n");
    let task = submitted_under(&deployment, (&head, keys), "world.later", "x").await;
    requested(&world, 1).await;
    assert!(deployment.kill(AuthorId::Egress));
    deployment.start(AuthorId::Egress).await;
    is_unknown(&deployment, task).await;
    let record = deployment.record().await;
    assert_eq!(record.count("secret.released"), 1);
    assert_eq!(record.count("secret.renewed"), 0);
    // The refresh token is not used up as far as the record says: the next call asks with it again.
    let task = submitted_under(&deployment, (&head, keys), "world.later", "y").await;
    requested(&world, 2).await;
    let ran = deployment.follow(task, true).await;
    let error = failure(&deployment, &ran);
    assert!(error.contains("took longer than 8000 ms"), "{error}");
    let requests = world.requests();
    assert!(
        requests.iter().all(|one| one.starts_with("POST /v2/held ")),
        "{requests:?}"
    );
    assert_eq!(requests.len(), 2);
}

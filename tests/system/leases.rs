//! A release is for one claim: what egress's own keys get over the bus after its end, after a revocation, and again.

use bus_schema::{ActionId, AuthorId, Egress, NotReleased, Release, ReleasedSecret};
use harness::{Deployment, SOON, Stolen, eventually};
use serde_json::json;

use crate::{
    cli::run,
    egress::{World, submitted_under},
    scene::{first, until},
    secret_calls::{KEYS, echo, give, set, with_tool},
};

const VALUE: &str = "a value of this test";

/// A deployment with a tool that has this many milliseconds, and its secret.
async fn with_wall(wall_ms: u64) -> Option<(Deployment, World)> {
    let (deployment, world) = with_tool().await?;
    let tool = world.tool("world.brief", |tool| {
        tool["http"]["path"] = json!("/v2/echo/{item}");
        tool["http"]["secret"] = json!("crm");
        tool["http"]["limits"]["wall_ms"] = json!(wall_ms);
    });
    world.add(&deployment, &[tool]);
    set(&deployment, &world.endpoint(), VALUE);
    Some((deployment, world))
}

/// Has egress claim a call of the tool, and stops it before it is answered.
async fn claimed(deployment: &Deployment, world: &World) -> ActionId {
    deployment.freeze("broker", true);
    submitted_under(deployment, (&world.head(), KEYS), "world.brief", "x").await;
    let record = until(deployment, "action.started", 1).await;
    assert!(deployment.kill(AuthorId::Egress));
    deployment.freeze("broker", false);
    first(&record, "action.started").unwrap().1
}

/// Asks for the secret with the keys of egress.
async fn ask(thief: &Stolen<'_, Egress>, action: ActionId) -> Result<ReleasedSecret, NotReleased> {
    let secret = "crm".parse().unwrap();
    thief
        .ask(AuthorId::Broker, Release { action, secret })
        .await
}

/// Waits until the broker has read what refuses it.
async fn refused(thief: &Stolen<'_, Egress>, action: ActionId, why: NotReleased) {
    eventually(SOON, async || match ask(thief, action).await {
        Err(said) if said == why => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn a_release_is_for_one_claim_and_one_version() {
    let Some((deployment, world)) = with_wall(60_000).await else {
        return;
    };
    // One that has ended.
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcome(), "succeeded");
    let record = deployment.record().await;
    let (_, ended) = first(&record, "action.started").unwrap();
    let thief = deployment.steal::<Egress>().await;
    refused(&thief, ended, NotReleased::NotClaimed).await;
    // One that nobody claimed.
    let nobody = ActionId::new(deployment.clock().uuid());
    refused(&thief, nobody, NotReleased::NotClaimed).await;

    // One that runs: the same answer each time, and one release.
    deployment.freeze("broker", true);
    submitted_under(&deployment, (&world.head(), KEYS), "world.brief", "x").await;
    let record = until(&deployment, "action.started", 2).await;
    assert!(deployment.kill(AuthorId::Egress));
    deployment.freeze("broker", false);
    let running = record.of("action.started").filter_map(|one| one.action());
    let running = running.last().unwrap();
    let first = ask(&thief, running).await.unwrap();
    let again = ask(&thief, running).await.unwrap();
    assert_eq!(first, again);
    let record = deployment.record().await;
    assert_eq!(record.count("secret.released"), 2);
    // Another version would be a second release.
    let rotated = give(&deployment, &["secret", "rotate", "crm"], "another value");
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    refused(&thief, running, NotReleased::Replaced).await;
    assert_eq!(run(&deployment, &["secret", "revoke", "crm"]).code, Some(0));
    refused(&thief, running, NotReleased::Revoked).await;
    let record = deployment.record().await;
    assert_eq!(record.count("secret.released"), 2);
}

#[tokio::test]
async fn a_release_ends_with_the_time_of_its_claim() {
    let Some((deployment, world)) = with_wall(1_000).await else {
        return;
    };
    let action = claimed(&deployment, &world).await;
    let thief = deployment.steal::<Egress>().await;
    eventually(SOON, async || match ask(&thief, action).await {
        Err(NotReleased::Ended | NotReleased::NotClaimed) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

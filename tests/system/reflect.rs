//! Reflection: in one account the server sends an answer to any subject that the requester names, even one that it may
//! not publish to; claims stay safe by their compare-and-set.

use bus_schema::{ActionStarted, AuthorId, Draft, Junk, Runner, TaskId};
use harness::{Deployment, SOON, eventually};

use crate::scene::{contract, first, kinds, playbook, tools_with_slow_append, until};

/// A subject that the gateway may publish to; the server's acknowledgement goes to the reply subject.
const PERMITTED: &str = "event.gateway.-.service.started";

#[tokio::test]
async fn reflected_acknowledgements_do_not_stop_or_repeat_a_claim() {
    let deployment = Deployment::with(|choices| choices.catalogue = tools_with_slow_append());
    deployment.in_one_account();
    deployment.nats().start().await;
    deployment.provision().await;
    for author in [
        AuthorId::Audit,
        AuthorId::Policy,
        AuthorId::Worker,
        AuthorId::Gateway,
    ] {
        deployment.start(author).await;
    }
    let rule = "[[allow]]\nname = \"append\"\ntool = \"slow.append\"\n";
    let signed = deployment
        .sign(&contract("slow", rule).replace("30m", "3s"))
        .await;
    let step = "[[step]]\nid = \"append\"\ntool = \"slow.append\"\non_unknown = \"continue\"\n";
    let task = deployment.submit(signed, &playbook(step)).await;
    let record = until(&deployment, "action.granted", 1).await;
    let (_, action) = first(&record, "action.granted").unwrap();
    let thief = deployment.client("gateway").await;
    let claim = format!("event.runner.{task}.action.started");
    // Before the claim.
    thief.reflect(PERMITTED, &claim, b"b").await;
    thief
        .reflect(
            PERMITTED,
            &format!("event.runner.{task}.action.finished"),
            b"c",
        )
        .await;
    reflected(&deployment, task, 2).await;
    deployment.start(AuthorId::Runner).await;
    until(&deployment, "action.started", 1).await;
    eventually(SOON, async || {
        std::fs::read_to_string(deployment.workspace().join("ran.txt"))
    })
    .await;
    // After the claim, around a kill while the tool runs.
    thief.reflect(PERMITTED, &claim, b"d").await;
    assert!(deployment.kill(AuthorId::Runner));
    thief.reflect(PERMITTED, &claim, b"e").await;
    reflected(&deployment, task, 4).await;
    deployment.start(AuthorId::Runner).await;
    let ran = deployment.follow(task, false).await;
    let record = deployment.record().await;
    assert_eq!(ran.count("action.started"), 1, "{}", kinds(&record));
    assert_eq!(ran.count("action.finished"), 0);
    assert_eq!(
        record
            .of("action.started")
            .filter(|one| one.action() == Some(action))
            .count(),
        1
    );
    let lines = std::fs::read_to_string(deployment.workspace().join("ran.txt")).unwrap();
    assert_eq!(lines, "ran\n");
}

/// Waits until `count` acknowledgements are in the runner's subtree of a task.
async fn reflected(deployment: &Deployment, task: TaskId, count: usize) {
    let prefix = format!("event.runner.{task}.");
    eventually(SOON, async || {
        let record = deployment.record().await;
        let found = record.junk().filter(|(one, junk)| {
            one.stored.subject.starts_with(&prefix) && *junk == Junk::Unsigned
        });
        let found = found.count();
        if found == count { Ok(()) } else { Err(found) }
    })
    .await;
}

/// The attack itself: it defeats a claim that expects an empty subject, and the obvious fix of that.
#[tokio::test]
async fn claim_that_expects_its_subject_to_be_empty_is_blocked_and_its_repair_claims_twice() {
    let deployment = Deployment::provisioned_in_one_account().await;
    let thief = deployment.client("gateway").await;
    let runner = deployment.steal::<Runner>().await;
    let clock = deployment.clock();
    let task = TaskId::new(clock.uuid());
    let action = bus_schema::ActionId::new(clock.uuid());
    let draft = Draft::of(task, ActionStarted { action });
    let (claim, _, _) = runner.sign(&draft).await;
    thief.reflect(PERMITTED, &claim.subject, b"x").await;
    reflected(&deployment, task, 1).await;
    let expects_none = runner.client.publish(&claim, Some((&claim.subject, 0)));
    assert_eq!(expects_none.await.unwrap().stored(), Err(10_071));
    let last = deployment.record().await.last();
    let repaired = runner.client.publish(&claim, Some((&claim.subject, last)));
    assert!(repaired.await.unwrap().stored().is_ok());
    thief.reflect(PERMITTED, &claim.subject, b"y").await;
    reflected(&deployment, task, 2).await;
    let (again, subtree, _) = runner.sign(&draft).await;
    let last = deployment.record().await.last();
    let twice = runner.client.publish(&again, Some((&again.subject, last)));
    assert!(twice.await.unwrap().stored().is_ok());
    assert_eq!(deployment.record().await.count("action.started"), 2);
    // The compare-and-set of a service: a claim without knowledge of the first one is refused.
    let stale = runner.client.publish(&again, Some((&subtree, last - 2)));
    assert_eq!(stale.await.unwrap().stored(), Err(10_071));
}

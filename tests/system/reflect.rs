//! Reflection: the server sends what it answers wherever the asker says, also where the asker may not publish.

use bus_schema::{AUDIT, ActionStarted, AuthorId, Draft, Junk, Runner, TaskId};
use harness::{Deployment, SOON, eventually};

use crate::scene::{contract, first, kinds, playbook, tools_with_slow_append, until};

/// What the gateway may publish; the server's acknowledgement goes to the reply subject.
const PERMITTED: &str = "event.gateway.-.service.started";

#[tokio::test]
async fn reflected_acknowledgements_do_not_stop_or_repeat_a_claim() {
    let deployment = Deployment::with(|choices| choices.catalogue = tools_with_slow_append());
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
    let culprit = thief
        .store(PERMITTED, async_nats::HeaderMap::new(), b"a")
        .await;
    let first_junk = culprit.unwrap().stored().unwrap();
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
    culprit_is_named(&deployment, first_junk).await;
}

/// Waits until `count` acknowledgements stand in the runner's chain of a task.
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

/// Audit reports the junk, and each acknowledgement names the message of the one who reflected it.
async fn culprit_is_named(deployment: &Deployment, first_junk: u64) {
    let record = until(deployment, "junk.found", 1).await;
    let report = record.of("junk.found").next().unwrap();
    assert!(report.fact["from_seq"].as_u64().unwrap() <= first_junk);
    assert!(report.fact["to_seq"].as_u64().unwrap() >= first_junk);
    for (one, _) in record.junk() {
        if !one.stored.subject.starts_with("event.runner.") {
            continue;
        }
        let ack: serde_json::Value = serde_json::from_slice(&one.stored.body).unwrap();
        let seq = ack["seq"].as_u64().unwrap();
        let named = record.messages.iter().find(|one| one.stored.seq == seq);
        assert_eq!(named.unwrap().stored.subject, PERMITTED);
    }
}

/// What `audit verify` says of junk that is the server's own answer.
#[tokio::test]
async fn verify_names_whose_identity_asked_for_a_reflected_answer() {
    let deployment = Deployment::running().await;
    let thief = deployment.client("gateway").await;
    let task = TaskId::new(deployment.clock().uuid());
    let claim = format!("event.runner.{task}.action.started");
    thief.reflect(PERMITTED, &claim, b"x").await;
    reflected(&deployment, task, 1).await;
    let policy = deployment.client("policy").await;
    let info = format!("$JS.API.CONSUMER.INFO.{AUDIT}.policy");
    policy.reflect(&info, &claim, b"").await;
    reflected(&deployment, task, 2).await;
    let acked = deployment.record().await;
    let acked = acked.messages.iter().find(|one| one.stored.body == b"x");
    let acked = acked.unwrap().stored.seq;
    let said = eventually(SOON, async || {
        let verified = deployment.command(&["audit", "verify"]);
        let said = String::from_utf8(verified.stdout).unwrap();
        if said.matches("asked for with").count() == 2 {
            Ok(said)
        } else {
            Err(format!(
                "{said}{}",
                String::from_utf8_lossy(&verified.stderr)
            ))
        }
    })
    .await;
    let of_gateway = format!(
        "{claim}: {}; the server's acknowledgement of message {acked} of AUDIT; \
         asked for with the identity of gateway",
        Junk::Unsigned
    );
    assert!(said.contains(&of_gateway), "{of_gateway}\n{said}");
    assert!(
        said.contains(
            "the server's answer v1.consumer_info_response; asked for with the identity of policy"
        ),
        "{said}"
    );
}

/// The attack itself: it defeats a claim that expects an empty subject, and the obvious repair of that.
#[tokio::test]
async fn claim_that_expects_its_subject_to_be_empty_is_blocked_and_its_repair_claims_twice() {
    let deployment = Deployment::provisioned().await;
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
    // What a service does instead: whoever has not folded the first claim does not get through.
    let stale = runner.client.publish(&again, Some((&subtree, last - 2)));
    assert_eq!(stale.await.unwrap().stored(), Err(10_071));
}

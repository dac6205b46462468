//! Unknown schema versions: a reader stops at an event of an author that it obeys, and skips those of others.

use bus_schema::{
    ACTORS, Author, AuthorId, Body, ENVELOPE_V, Junk, Owner, Policy, Signature, SignedEvent,
    Subject, Worker, wire,
};
use ed25519_dalek::Signer as _;
use harness::{Deployment, Stolen, link};

use crate::{
    by_hand::{ByHand, fresh, stored},
    scene::{LIST, MAY_LIST, contract, playbook, troubled, until},
};

/// Signs and stores a fact of a future version as the author's next event.
async fn say_unknown<A: Author>(thief: &Stolen<'_, A>, kind: &str) -> u64 {
    let record = thief.deployment.record().await;
    let tip = record.verifier().tip(A::ID, None);
    let (subtree, last) = record.subtree(A::ID, None);
    let link = link(thief.deployment.clock(), tip.seq + 1, tip.digest);
    let subject = Subject {
        by: A::ID,
        task: None,
        kind,
    }
    .to_string();
    let schema = format!("{kind}.v9");
    let body = wire::encode(&Body {
        v: ENVELOPE_V,
        subject: subject.clone(),
        schema: schema.clone(),
        author: A::ID,
        task: None,
        seq: link.seq,
        prev: link.prev,
        id: link.id,
        cause: None,
        at: link.at,
        fact: "a shape of tomorrow",
    });
    let signature = Signature::new(thief.key.sign(&body).to_bytes());
    let event = SignedEvent {
        subject,
        task: None,
        schema,
        signature,
        body,
        id: link.id,
    };
    let ack = thief.client.publish(&event, Some((&subtree, last)));
    ack.await.unwrap().stored().unwrap()
}

/// Checks that each of `readers` ends and names the program version that can read the event.
async fn stopped(deployment: &Deployment, readers: &[AuthorId], said: &str) {
    for author in readers {
        let status = deployment.ended(author.name()).await;
        let log = deployment.log(author.name());
        assert!(
            !status.success() && status.code().is_some(),
            "{author}: {status}"
        );
        assert!(
            log.contains(said) && log.contains("upgrade this program"),
            "{author}: {log}"
        );
    }
}

#[tokio::test]
async fn unknown_version_of_the_owner_stops_every_reader() {
    let deployment = Deployment::running().await;
    let thief = deployment.steal::<Owner>().await;
    let seq = say_unknown(&thief, "roster.changed").await;
    let said = format!("owner published roster.changed.v9 at {seq}");
    stopped(&deployment, ACTORS, &said).await;
    // At each start, as long as the program is too old.
    deployment.launch(AuthorId::Runner);
    stopped(&deployment, &[AuthorId::Runner], &said).await;
}

#[tokio::test]
async fn unknown_version_of_policy_stops_those_who_read_it() {
    let deployment = Deployment::running().await;
    deployment.stop(AuthorId::Policy).await;
    let thief = deployment.steal::<Policy>().await;
    let seq = say_unknown(&thief, "contract.activated").await;
    let said = format!("policy published contract.activated.v9 at {seq}");
    deployment.launch(AuthorId::Policy);
    let readers = [AuthorId::Policy, AuthorId::Runner, AuthorId::Audit];
    stopped(&deployment, &readers, &said).await;
}

/// The attack that the stop prevents: a policy that skips an unknown event of the owner grants under a contract that
/// the owner has revoked in a future version.
#[tokio::test]
async fn policy_that_passed_over_the_owners_unknown_word_would_grant_what_was_taken_back() {
    let deployment = Deployment::running().await;
    // Without heads the proposal waits for its grant.
    assert!(deployment.kill(AuthorId::Audit));
    troubled(&deployment, AuthorId::Policy, "no grants").await;
    let signed = deployment.sign(&contract("list", MAY_LIST)).await;
    deployment.submit(signed, &playbook(LIST)).await;
    until(&deployment, "action.proposed", 1).await;
    let thief = deployment.steal::<Owner>().await;
    let seq = say_unknown(&thief, "contract.revoked").await;
    let said = format!("owner published contract.revoked.v9 at {seq}");
    stopped(&deployment, &[AuthorId::Policy], &said).await;
    let stored = stored(&deployment).await;
    let mut shipped = ByHand::new(&deployment);
    let stops = stored.iter().find_map(|one| shipped.read(one).err());
    assert_eq!(stops.unwrap().seq, seq);
    let mut weak = ByHand::new(&deployment);
    for one in &stored {
        // The check that is removed.
        weak.read(one).ok();
    }
    assert_eq!(weak.wants(fresh(&stored)).await, ["action.granted"]);
    let granted = |subject: &str| subject.ends_with("action.granted");
    assert!(!stored.iter().any(|one| granted(&one.subject)));
}

/// The same event of an author that nobody obeys: a reader that stopped at it could be stopped by anybody.
#[tokio::test]
async fn unknown_version_of_anybody_else_is_passed_over() {
    let deployment = Deployment::running().await;
    let thief = deployment.steal::<Worker>().await;
    let seq = say_unknown(&thief, "service.started").await;
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    let record = deployment.record().await;
    let passed: Vec<_> = record
        .junk()
        .map(|(one, junk)| (one.stored.seq, junk))
        .collect();
    assert_eq!(passed, [(seq, Junk::Version)]);
    let mut strict = record.messages.iter();
    let read = strict.position(|one| one.verdict == Err(Junk::Version));
    let read = &record.messages[..read.unwrap()];
    assert!(!read.iter().any(|one| one.kind == "task.submitted"));
    for author in ACTORS {
        assert!(deployment.pid(author.name()).is_some());
        deployment.stop(*author).await;
    }
}

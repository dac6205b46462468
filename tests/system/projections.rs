//! Projections: a snapshot is used if it belongs to this stream, and rebuilt otherwise. Executors wait for the owner
//! then.

use std::{fs, path::Path};

use bus_schema::{ACTORS, AuthorId, Subject};
use harness::{Deployment, SOON, all_but, eventually};

use crate::adopt::adopted;
use crate::by_hand::{ByHand, fresh, stored};

/// The log line of a service whose projection belongs to another stream.
const REBUILT: &str = "the projection is of another stream";

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) async fn stop_all(deployment: &Deployment) {
    for author in ACTORS {
        deployment.stop(*author).await;
    }
}

/// Starts with an empty stream and an empty log, but with the state of the other services.
async fn begin_another_stream(deployment: &Deployment) {
    stop_all(deployment).await;
    empty(deployment).await;
}

/// The same with services that are stopped already.
pub(crate) async fn empty(deployment: &Deployment) {
    deployment.nats().stop().await;
    fs::remove_dir_all(deployment.nats().store()).unwrap();
    forget_log(deployment);
    deployment.nats().start().await;
    deployment.provision().await;
}

/// Deletes all files of audit.
pub(crate) fn forget_log(deployment: &Deployment) {
    let audit = deployment.dir().of("audit");
    for folder in ["log", "anchor", "state"] {
        fs::remove_dir_all(audit.join(folder)).unwrap();
    }
}

pub(crate) async fn works(deployment: &Deployment) {
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    assert_eq!(ran.count("action.granted"), ran.count("action.finished"));
}

#[tokio::test]
async fn lost_projection_is_built_again() {
    let deployment = Deployment::running().await;
    works(&deployment).await;
    stop_all(&deployment).await;
    for author in &all_but(AuthorId::Audit) {
        fs::remove_dir_all(deployment.dir().state(*author)).unwrap();
    }
    let before = deployment.record().await;
    deployment.start_all().await;
    works(&deployment).await;
    let after = deployment.record().await;
    for kind in [
        "action.granted",
        "action.started",
        "task.admitted",
        "task.finished",
    ] {
        assert_eq!(after.count(kind), 2 * before.count(kind), "{kind}");
    }
    assert_eq!(after.junk().count(), 0);
}

#[tokio::test]
async fn older_projection_is_taken_up_where_it_stops() {
    let deployment = Deployment::running().await;
    works(&deployment).await;
    stop_all(&deployment).await;
    let old = deployment.scratch().join("old");
    for author in &all_but(AuthorId::Audit) {
        copy(&deployment.dir().state(*author), &old.join(author.name()));
    }
    deployment.start_all().await;
    works(&deployment).await;
    stop_all(&deployment).await;
    for author in &all_but(AuthorId::Audit) {
        let state = deployment.dir().state(*author);
        fs::remove_dir_all(&state).unwrap();
        copy(&old.join(author.name()), &state);
    }
    let before = deployment.record().await;
    deployment.start_all().await;
    works(&deployment).await;
    let after = deployment.record().await;
    assert_eq!(
        2 * after.count("action.started"),
        3 * before.count("action.started")
    );
    for author in &all_but(AuthorId::Audit) {
        assert!(!deployment.log(author.name()).contains(REBUILT), "{author}");
    }
}

/// The stream ends before the position of the projection: a service that continued there would miss all events before
/// it.
#[tokio::test]
async fn projection_that_is_ahead_of_the_stream_is_rebuilt() {
    let deployment = Deployment::running().await;
    works(&deployment).await;
    let stands = deployment.record().await.last();
    begin_another_stream(&deployment).await;
    assert!(deployment.record().await.last() < stands);
    deployment.start_all().await;
    for author in &all_but(AuthorId::Audit) {
        assert!(deployment.log(author.name()).contains(REBUILT), "{author}");
    }
    adopted(&deployment).await;
    works(&deployment).await;
}

/// Another message is at the position of the projection: a service that continued there would miss earlier events.
#[tokio::test]
async fn projection_of_another_stream_is_rebuilt() {
    let deployment = Deployment::running().await;
    stop_all(&deployment).await;
    let stands = deployment.record().await.last();
    let mut weak = ByHand::new(&deployment);
    for one in stored(&deployment).await {
        weak.read(&one).unwrap();
    }
    deployment.start_all().await;
    begin_another_stream(&deployment).await;
    let contract = deployment.sign(harness::contract()).await;
    for author in &all_but(AuthorId::Audit) {
        let client = deployment.client(author.name()).await;
        for n in 0..=stands + 10 {
            let subject = Subject {
                by: *author,
                task: None,
                kind: "service.started",
            };
            let subject = subject.to_string();
            let text = format!("junk {n}");
            let ack = client.store(&subject, async_nats::HeaderMap::new(), text.as_bytes());
            ack.await.unwrap().stored().unwrap();
        }
    }
    let signed = deployment.record().await;
    let signed = signed.of("contract.signed").next().unwrap().stored.seq;
    assert!(
        signed < stands,
        "a projection that is believed knows nothing of this contract"
    );
    deployment.start_all().await;
    for author in &all_but(AuthorId::Audit) {
        assert!(deployment.log(author.name()).contains(REBUILT), "{author}");
    }
    adopted(&deployment).await;
    let task = deployment.submit(contract, harness::playbook()).await;
    assert_eq!(deployment.follow(task, true).await.outcome(), "succeeded");
    // Without the check it continues from its position, and does not know the contract.
    let stored = stored(&deployment).await;
    let submitted = |subject: &str| subject.ends_with(&format!("{task}.task.submitted"));
    let end = stored
        .iter()
        .position(|one| submitted(&one.subject))
        .unwrap();
    for one in stored[..=end].iter().filter(|one| one.seq > stands) {
        weak.read(one).unwrap();
    }
    assert_eq!(weak.wants(fresh(&stored)).await, ["task.rejected"]);
}

/// The same bytes are stored there again: anybody who may store messages can do that, but cannot choose their stored
/// time.
#[tokio::test]
async fn projection_is_rebuilt_where_only_a_copy_of_its_last_message_stands() {
    let deployment = Deployment::running().await;
    works(&deployment).await;
    // Audit last: without its heads policy is soon in trouble.
    for author in ACTORS.iter().rev() {
        if *author != AuthorId::Policy {
            deployment.stop(*author).await;
        }
    }
    let asked = deployment.clock().wall();
    let stands = eventually(SOON, async || match deployment.health(AuthorId::Policy) {
        Ok(health) if health.at > asked => Ok(health.seq),
        other => Err(format!("{other:?}")),
    })
    .await;
    deployment.stop(AuthorId::Policy).await;
    let before = deployment.record().await;
    let last = before.messages.iter().find(|one| one.stored.seq == stands);
    let last = last.unwrap();
    empty(&deployment).await;
    let thief = deployment.client(last.by().unwrap().name()).await;
    let store = async |body: &[u8]| {
        let subject = &last.stored.subject;
        let ack = thief.store(subject, async_nats::HeaderMap::new(), body);
        ack.await.unwrap().stored().unwrap()
    };
    while store(b"junk").await + 1 < stands {}
    assert_eq!(store(&last.stored.body).await, stands);
    deployment.start(AuthorId::Policy).await;
    assert!(deployment.log("policy").contains(REBUILT));
    deployment.stop(AuthorId::Policy).await;
    deployment.start_all().await;
    adopted(&deployment).await;
    works(&deployment).await;
}

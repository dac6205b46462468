//! Replay: in one account each reader of the stream can make the server publish a stored message again, to any subject;
//! the checks of readers refuse it.

use std::collections::BTreeMap;

use bus_schema::{ACTORS, AUDIT, AuthorId, Draft, Junk, ServiceStarted, Worker};
use harness::{Client, Deployment, Record, SOON, eventually};
use serde_json::json;

use crate::scene::{kinds, until};

/// A consumer of its own, which the audit-reader may create.
async fn own_consumer(client: &Client, name: &str) {
    let config = json!({"stream_name": AUDIT, "config": {
        "name": name, "durable_name": name, "ack_policy": "none", "deliver_policy": "all"}});
    let subject = format!("CONSUMER.CREATE.{AUDIT}.{name}");
    let made = client.api(&subject, &config).await.unwrap();
    assert!(made.get("error").is_none(), "{made}");
}

fn genuine(record: &Record) -> usize {
    record.messages.len() - record.junk().count()
}

#[tokio::test]
async fn nothing_that_services_said_can_be_stored_again() {
    let deployment = Deployment::running_in_one_account().await;
    deployment.run_demo_task().await;
    for author in ACTORS {
        deployment.stop(*author).await;
    }
    let before = deployment.record().await;
    let reader = deployment.client("audit-reader").await;
    own_consumer(&reader, "thief").await;
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{AUDIT}.thief");
    for message in &before.messages {
        reader
            .reflect(
                &next,
                &message.stored.subject,
                br#"{"batch":1,"no_wait":true}"#,
            )
            .await;
    }
    let get = format!("$JS.API.DIRECT.GET.{AUDIT}");
    for message in &before.messages {
        let question = json!({"seq": message.stored.seq}).to_string();
        reader
            .reflect(&get, &message.stored.subject, question.as_bytes())
            .await;
    }
    // With the identity of the author of these events.
    let policy = deployment.client("policy").await;
    let granted = &before.of("action.granted").next().unwrap().stored.subject;
    policy
        .api(
            &format!("CONSUMER.RESET.{AUDIT}.policy"),
            &json!({"seq": 1}),
        )
        .await
        .unwrap();
    policy
        .reflect(
            &format!("$JS.API.CONSUMER.MSG.NEXT.{AUDIT}.policy"),
            granted,
            br#"{"batch":1000,"no_wait":true}"#,
        )
        .await;
    reader.refused().await;
    policy.refused().await;
    let after = deployment.record().await;
    assert_eq!(genuine(&after), genuine(&before), "{}", kinds(&after));
    let new = &after.messages[before.messages.len()..];
    let again = new.iter().filter(|new| {
        let mut old = before.messages.iter();
        old.any(|old| old.stored.body == new.stored.body)
    });
    assert_eq!(again.count(), 0);
    acts_once(&deployment, &before).await;
}

/// All services restart on this record, do nothing twice, and work.
async fn acts_once(deployment: &Deployment, before: &Record) {
    deployment.start_all().await;
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    let after = deployment.record().await;
    for kind in ["action.granted", "action.started", "action.finished"] {
        assert_eq!(after.count(kind), 2 * before.count(kind), "{kind}");
    }
    // What came later than the server was asked for, too.
    let bodies = |record: &Record| -> BTreeMap<Vec<u8>, usize> {
        let mut times = BTreeMap::new();
        for one in &record.messages {
            *times.entry(one.stored.body.clone()).or_default() += 1;
        }
        times
    };
    let (before, after) = (bodies(before), bodies(&after));
    for (body, times) in before {
        assert_eq!(after.get(&body), Some(&times));
    }
}

/// The attack itself: it works on an event that was published without the compare-and-set; readers still recognize the
/// copy.
#[tokio::test]
async fn event_without_its_compare_and_set_is_stored_again_and_known_for_a_copy() {
    let deployment = Deployment::provisioned_in_one_account().await;
    let worker = deployment.steal::<Worker>().await;
    let fact = ServiceStarted {
        version: actor::version(),
        hardening: actor::hardening::measure(),
    };
    let draft = Draft::of(bus_schema::Deployment, fact);
    let stored = worker.say_blindly(&draft).await.stored().unwrap();
    let reader = deployment.client("audit-reader").await;
    own_consumer(&reader, "thief").await;
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{AUDIT}.thief");
    let subject = "event.worker.-.service.started";
    for _ in 0..stored {
        reader
            .reflect(&next, subject, br#"{"batch":1,"no_wait":true}"#)
            .await;
    }
    let record = eventually(SOON, async || {
        let record = deployment.record().await;
        let copies = record
            .junk()
            .filter(|(one, junk)| one.stored.subject == subject && *junk == Junk::Replayed)
            .count();
        if copies == 1 {
            Ok(record)
        } else {
            Err(kinds(&record))
        }
    })
    .await;
    let said = record.messages.iter().find(|one| one.stored.seq == stored);
    assert_eq!(said.unwrap().by(), Some(AuthorId::Worker));
}

/// Messages of one batch, as the server delivers them: sequence numbers, subjects and headers.
async fn a_batch(deployment: &Deployment, reader: &Client) -> (String, Vec<(u64, String)>) {
    let mut batches: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for message in deployment.record().await.messages {
        let question = json!({"seq": message.stored.seq}).to_string();
        let subject = format!("$JS.API.DIRECT.GET.{AUDIT}");
        let stored = reader.nats.request(subject, question.into()).await.unwrap();
        let headers = stored.headers.unwrap();
        if message.by().is_some() && message.by() != Some(AuthorId::Owner) {
            // Each event has its own compare-and-set: without it, it could be stored again.
            let expected = headers.get("Nats-Expected-Last-Subject-Sequence");
            assert!(expected.is_some(), "{} {headers:?}", message.kind);
        }
        if let Some(id) = headers.get("Nats-Batch-Id") {
            let place = (message.stored.seq, message.stored.subject.clone());
            batches.entry(id.to_string()).or_default().push(place);
        }
    }
    let largest = batches.into_iter().max_by_key(|(_, places)| places.len());
    largest.unwrap_or_default()
}

#[tokio::test]
async fn no_event_of_a_batch_can_be_stored_again_in_a_batch_of_a_thiefs() {
    let deployment = Deployment::running_in_one_account().await;
    let contract = deployment.sign(harness::contract()).await;
    deployment.run_demo_task().await;
    // Proposals that arrive while policy is suspended are decided together.
    deployment.freeze("policy", true);
    for _ in 0..40 {
        deployment.submit(contract, harness::playbook()).await;
    }
    deployment.freeze("policy", false);
    until(&deployment, "task.admitted", 41).await;
    for author in ACTORS {
        deployment.stop(*author).await;
    }
    let reader = deployment.client("audit-reader").await;
    let (batch, places) = a_batch(&deployment, &reader).await;
    assert!(places.len() > 1, "{places:?}");
    let before = deployment.record().await;
    // The thief opens a batch of that name with its own message; the server appends the rest to it.
    let thief = deployment.client("worker").await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Batch-Id", batch.as_str());
    headers.insert("Nats-Batch-Sequence", "1");
    let opened = "event.worker.-.service.started".to_owned();
    thief
        .nats
        .publish_with_headers(opened, headers, "x".into())
        .await
        .unwrap();
    thief.refused().await;
    let get = format!("$JS.API.DIRECT.GET.{AUDIT}");
    for (seq, subject) in &places[1..] {
        let question = json!({"seq": seq}).to_string();
        reader.reflect(&get, subject, question.as_bytes()).await;
    }
    reader.refused().await;
    let after = deployment.record().await;
    assert_eq!(
        after.messages.len(),
        before.messages.len(),
        "{}",
        kinds(&after)
    );
}

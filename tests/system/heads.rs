//! Heads of the log: policy grants on a fresh head of audit, not on a replayed one.

use std::time::Duration;

use actor::live::{Heads, said};
use async_nats::{HeaderMap, Message};
use bus_schema::{
    AUDIT, AuthorId, BLOBS, Body, Digest, ENVELOPE_V, EventId, HEADER_SIGNATURE, Head, Live as _,
    TaskId, wire,
};
use futures::StreamExt as _;
use harness::{Client, Deployment, SOON, eventually};
use serde_json::json;

use crate::by_hand::{ByHand, stored};
use crate::scene::{LIST, MAY_LIST, contract, kinds, playbook, policy_has_looked, troubled, until};

/// Heads that are recorded.
const HEADS: usize = 4;
/// Policy's health without a fresh head.
const NO_GRANTS: &str = "no grants";
/// The runner's health without a fresh head.
const NO_CLAIMS: &str = "nothing is claimed";

/// Two compromised services, and the heads that they recorded.
struct Thieves {
    /// The runner, which may store bytes in its own contents.
    runner: Client,
    /// The worker, which may request those bytes from the server.
    worker: Client,
    heads: Vec<Message>,
}

impl Thieves {
    /// Records heads and stores them, with their signatures, in the runner's contents.
    async fn new(deployment: &Deployment) -> Self {
        let thieves = Self {
            runner: deployment.client("runner").await,
            worker: deployment.client("worker").await,
            heads: recorded(deployment).await,
        };
        for (n, head) in thieves.heads.iter().enumerate() {
            let signature = head
                .headers
                .as_ref()
                .unwrap()
                .get(HEADER_SIGNATURE)
                .unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(HEADER_SIGNATURE, signature.as_str());
            let place = place(n);
            let stored = thieves.runner.store(&place, headers, &head.payload);
            stored.await.unwrap().stored().unwrap();
        }
        thieves
    }

    /// Makes the server publish to policy everything that it can be made to publish.
    async fn reflect(&self, deployment: &Deployment) {
        let head = Head::subject();
        for n in 0..self.heads.len() {
            let get = format!("$JS.API.DIRECT.GET.{BLOBS}.{}", place(n));
            self.worker.reflect(&get, &head, b"").await;
        }
        self.worker
            .reflect("event.worker.-.service.started", &head, b"acknowledged")
            .await;
        // Send all signed heads of audit to the readers that trust its signature.
        let reader = deployment.client("audit-reader").await;
        let name = format!("thief-{}", deployment.clock().uuid());
        let config = json!({"stream_name": AUDIT, "config": {"name": name, "durable_name": name,
            "ack_policy": "none", "deliver_policy": "all"}});
        let made = reader
            .api(&format!("CONSUMER.CREATE.{AUDIT}.{name}"), &config)
            .await;
        assert!(made.unwrap().get("error").is_none());
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{AUDIT}.{name}");
        reader
            .reflect(&next, &head, br#"{"batch":500,"no_wait":true}"#)
            .await;
        self.worker.refused().await;
        reader.refused().await;
    }
}

/// The subject of the nth head.
fn place(n: usize) -> String {
    format!("blob.runner.{n:064}.0")
}

async fn recorded(deployment: &Deployment) -> Vec<Message> {
    let owner = deployment.client("owner").await;
    let heads = owner.nats.subscribe(Head::subject()).await.unwrap();
    tokio::time::timeout(SOON, heads.take(HEADS).collect())
        .await
        .unwrap()
}

/// A task that waits for its only grant.
async fn waiting(deployment: &Deployment) -> TaskId {
    let signed = deployment.sign(&contract("list", MAY_LIST)).await;
    let before = deployment.record().await.count("action.proposed");
    let task = deployment.submit(signed, &playbook(LIST)).await;
    until(deployment, "action.proposed", before + 1).await;
    task
}

#[tokio::test]
async fn nothing_that_is_played_back_stands_for_audit() {
    let deployment = Deployment::running_in_one_account().await;
    let thieves = Thieves::new(&deployment).await;
    assert!(deployment.kill(AuthorId::Audit));
    troubled(&deployment, AuthorId::Policy, NO_GRANTS).await;
    troubled(&deployment, AuthorId::Runner, NO_CLAIMS).await;
    let task = waiting(&deployment).await;
    // The attack itself: an old head of audit is delivered again, with its valid signature.
    let owner = deployment.client("owner").await;
    let mut heard = owner.nats.subscribe(Head::subject()).await.unwrap();
    owner.refused().await;
    thieves.reflect(&deployment).await;
    // The server answers its requests in any order.
    let again = tokio::time::timeout(SOON, async {
        let old = |heard: &Message| heard.payload == thieves.heads[0].payload;
        while !old(&heard.next().await.unwrap()) {}
    });
    again.await.unwrap();
    policy_has_looked(&deployment).await;
    assert_eq!(deployment.record().await.count("action.granted"), 0);
    troubled(&deployment, AuthorId::Runner, NO_CLAIMS).await;
    // A policy that has just started and has no head refuses it, too.
    assert!(deployment.kill(AuthorId::Policy));
    deployment.start(AuthorId::Policy).await;
    until(&deployment, "service.started", 6).await;
    thieves.reflect(&deployment).await;
    policy_has_looked(&deployment).await;
    let record = deployment.record().await;
    assert_eq!(record.count("action.granted"), 0, "{}", kinds(&record));
    // Only a fresh head was missing.
    deployment.start(AuthorId::Audit).await;
    assert_eq!(deployment.follow(task, false).await.outcome(), "succeeded");
}

/// All messages on audit's subject after the `thieves` have made the server publish there: old heads of audit, an
/// acknowledgement, stored events, and a forged head of the runner.
async fn overheard(deployment: &Deployment, thieves: &Thieves) -> Vec<Message> {
    let own = Body {
        v: ENVELOPE_V,
        subject: Head::subject(),
        schema: "head.v1".to_owned(),
        author: Head::BY,
        task: None,
        seq: u64::MAX,
        prev: Digest::ZERO,
        id: EventId::new(deployment.clock().uuid()),
        cause: None,
        at: deployment.clock().wall(),
        fact: Head {
            size: u64::MAX,
            root: Digest::ZERO,
            stored: deployment.clock().wall(),
        },
    };
    let own = wire::encode(&own);
    let place = place(HEADS);
    let put = thieves.runner.store(&place, HeaderMap::new(), &own);
    put.await.unwrap().stored().unwrap();
    let owner = deployment.client("owner").await;
    let mut heard = owner.nats.subscribe(Head::subject()).await.unwrap();
    owner.refused().await;
    thieves.reflect(deployment).await;
    let get = format!("$JS.API.DIRECT.GET.{BLOBS}.{place}");
    thieves.worker.reflect(&get, &Head::subject(), b"").await;
    let checkpoint = deployment.record().await;
    let checkpoint = checkpoint.of("checkpoint.signed").next().unwrap();
    let recorded = thieves.heads.iter().map(|head| head.payload.to_vec());
    let mut missing: Vec<Vec<u8>> = recorded.collect();
    missing.extend([own, checkpoint.stored.body.clone()]);
    let (mut all, mut acknowledged) = (Vec::new(), false);
    while !(missing.is_empty() && acknowledged) {
        let next = tokio::time::timeout(SOON, heard.next()).await;
        let next = next.unwrap().unwrap();
        missing.retain(|body| *body != next.payload);
        acknowledged |= next.payload.starts_with(br#"{"stream""#);
        all.push(next);
    }
    all
}

fn signature(message: &Message) -> &str {
    let headers = message.headers.as_ref();
    let found = headers.and_then(|headers| headers.get(HEADER_SIGNATURE));
    found.map_or("", |value| value.as_str())
}

/// Each check of a head, left out once: then policy accepts a replayed message as a sign of life and grants on it.
#[tokio::test]
async fn without_any_one_check_on_heads_something_played_back_is_granted_on() {
    let deployment = Deployment::running_in_one_account().await;
    until(&deployment, "checkpoint.signed", 1).await;
    let thieves = Thieves::new(&deployment).await;
    assert!(deployment.kill(AuthorId::Audit));
    troubled(&deployment, AuthorId::Policy, NO_GRANTS).await;
    waiting(&deployment).await;
    let heard = overheard(&deployment, &thieves).await;
    let mut policy = ByHand::new(&deployment);
    for one in stored(&deployment).await {
        policy.read(&one).unwrap();
    }
    let genuine = |message: &Message| {
        said(
            &mut policy.verifier.clone(),
            &message.payload,
            signature(message),
        )
    };
    let unchecked = |message: &Message| {
        let body: Body<Head> = wire::decode(&message.payload).ok()?;
        Some((body.fact, body.seq))
    };
    let by_audit: Vec<_> = heard.iter().filter_map(genuine).collect();
    let by_anybody: Vec<_> = heard.iter().filter_map(unchecked).collect();
    assert_eq!((by_audit.len(), by_anybody.len()), (HEADS, HEADS + 1));
    let (past, now) = (Duration::from_secs(10), Duration::from_secs(30));
    // One policy that heard them from audit, and one that started later.
    let mut listens = Heads::default();
    for (head, number) in &by_audit {
        listens.hear(head.clone(), *number, Some(0), past);
    }
    let began = deployment.record().await.last();
    let replay = |mut to: Heads, heads: &[(Head, u64)], began: u64| {
        for (head, number) in heads {
            to.hear(head.clone(), *number, Some(began), now);
        }
        to.newest(now)
    };
    let none: [&str; 0] = [];
    let knows = replay(listens.clone(), &by_audit, 0);
    assert_eq!(policy.wants(knows).await, none);
    let begins = replay(Heads::default(), &by_audit, began);
    assert_eq!(policy.wants(begins).await, none);
    for (check, heard) in [
        ("signature", replay(listens, &by_anybody, 0)),
        ("number", replay(Heads::default(), &by_audit, 0)),
    ] {
        assert_eq!(policy.wants(heard).await, ["action.granted"], "{check}");
    }
}

/// A forged head, which anybody can publish without the shipped permissions: the signature and the comparison with
/// earlier heads refuse it.
#[tokio::test]
async fn head_of_anybody_else_is_heard_without_permissions_and_not_believed() {
    let deployment = Deployment::new();
    deployment.without_permissions();
    deployment.nats().start().await;
    deployment.provision().await;
    for author in [AuthorId::Policy, AuthorId::Worker, AuthorId::Gateway] {
        deployment.start(author).await;
    }
    waiting(&deployment).await;
    let owner = deployment.client("owner").await;
    let mut heard = owner.nats.subscribe(Head::subject()).await.unwrap();
    owner.refused().await;
    let worker = deployment.client("worker").await;
    worker
        .nats
        .publish(Head::subject(), "a head".into())
        .await
        .unwrap();
    worker.refused().await;
    let said = tokio::time::timeout(SOON, heard.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(said.payload.as_ref(), b"a head");
    policy_has_looked(&deployment).await;
    assert_eq!(deployment.record().await.count("action.granted"), 0);
    eventually(SOON, async || {
        deployment.health(AuthorId::Policy).err().ok_or("healthy")
    })
    .await;
}

//! Accounts: an answer of the server reaches only the requester, whatever reply subject a request names.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use bus_schema::{
    ACTORS, AUDIT, AuthorId, BLOBS, STREAMS, User,
    account::{API, OWN_API, users},
    stream,
};
use futures::{FutureExt as _, StreamExt as _};
use harness::{Client, Deployment, SOON, eventually};
use serde_json::{Value, json};

/// Requests sent between two checks that the server has processed them.
const AT_ONCE: usize = 100;

/// The streams, the consumers, and the number of messages of each subject.
pub(crate) type Held = BTreeMap<String, Value>;

/// The answer of the server's API.
pub(crate) async fn asked(client: &Client, subject: &str, question: Value) -> Value {
    client.api(subject, &question).await.unwrap()
}

/// Stores a content.
pub(crate) async fn put(client: &Client, place: &str, headers: HeaderMap, bytes: &[u8]) {
    let ack = client.store(place, headers, bytes).await.unwrap();
    ack.stored().unwrap();
}

/// The state of the server as `provision` sees it.
pub(crate) async fn held(watcher: &Client) -> Held {
    let mut held = Held::new();
    for stream in STREAMS.iter().map(|stream| stream.name) {
        let question = json!({"subjects_filter": ">"});
        let info = asked(watcher, &format!("STREAM.INFO.{stream}"), question).await;
        for what in ["config", "created"] {
            held.insert(format!("{stream} {what}"), info[what].clone());
        }
        held.insert(
            format!("{stream} deleted"),
            info["state"]["num_deleted"].clone(),
        );
        let subjects = info["state"]["subjects"].as_object();
        for (subject, count) in subjects.into_iter().flatten() {
            held.insert(format!("{stream} {subject}"), count.clone());
        }
    }
    for name in ACTORS
        .iter()
        .map(|actor| actor.name())
        .chain([stream::COPIER])
    {
        let info = asked(watcher, &format!("CONSUMER.INFO.{AUDIT}.{name}"), json!({})).await;
        held.insert(format!("consumer {name}"), info["config"].clone());
        held.insert(
            format!("consumer {name} delivered"),
            info["delivered"]["consumer_seq"].clone(),
        );
    }
    held
}

/// The differences, without those that `user` may cause: its events, its contents, the position of its consumer.
fn changed_by(user: &str, before: &Held, after: &Held) -> Vec<String> {
    let timers = match user {
        "scheduler" => "TIMERS ",
        _ => "nothing of TIMERS",
    };
    let triggers = match user {
        "trigger" => "TRIGGERS trigger.cli.",
        "gateway" => "TRIGGERS trigger.hook.",
        _ => "nothing of TRIGGERS",
    };
    let own = [
        timers.to_owned(),
        format!("{AUDIT} event.{user}."),
        format!("{BLOBS} blob.{user}."),
        triggers.to_owned(),
        format!("consumer {user} delivered"),
        // The server itself copies.
        format!("consumer {} delivered", stream::COPIER),
    ];
    let keys = before.keys().chain(after.keys());
    let mut changed: Vec<_> = keys
        .filter(|key| before.get(*key) != after.get(*key))
        .filter(|key| !own.iter().any(|own| key.starts_with(own.as_str())))
        .cloned()
        .collect();
    changed.dedup();
    changed
}

/// Bytes that the JetStream API accepts as a request.
fn requests() -> Vec<(String, Value)> {
    let narrow = |name: &str| {
        json!({"stream_name": AUDIT, "config": {
            "name": name, "durable_name": name, "ack_policy": "none", "deliver_policy": "all",
            "filter_subject": "event.nobody.>", "max_deliver": -1, "max_waiting": 16}})
    };
    let mut all = Vec::new();
    for name in ["policy", "runner"] {
        all.push((format!("CONSUMER.CREATE.{AUDIT}.{name}"), narrow(name)));
        all.push((
            format!("CONSUMER.DURABLE.CREATE.{AUDIT}.{name}"),
            narrow(name),
        ));
        all.push((format!("CONSUMER.RESET.{AUDIT}.{name}"), json!({"seq": 1})));
        all.push((format!("CONSUMER.DELETE.{AUDIT}.{name}"), Value::Null));
        all.push((
            format!("CONSUMER.MSG.NEXT.{AUDIT}.{name}"),
            json!({"batch": 5, "no_wait": true}),
        ));
        all.push((
            format!("CONSUMER.PAUSE.{AUDIT}.{name}"),
            json!({"pause_until": "2036-01-01T00:00:00Z"}),
        ));
    }
    let mut short = STREAMS[0].config();
    short["max_msgs"] = json!(1);
    short["discard"] = json!("old");
    all.push((format!("STREAM.UPDATE.{AUDIT}"), short));
    all.push((
        "STREAM.CREATE.OTHER".to_owned(),
        json!({"name": "OTHER", "subjects": ["other.>"]}),
    ));
    all.push((format!("STREAM.MSG.DELETE.{AUDIT}"), json!({"seq": 1})));
    for stream in [BLOBS, "TRIGGERS", AUDIT] {
        all.push((format!("STREAM.PURGE.{stream}"), Value::Null));
        all.push((format!("STREAM.DELETE.{stream}"), Value::Null));
    }
    all
}

/// The subject of the nth of those requests among the contents of `by`.
pub(crate) fn place(by: &str, n: usize) -> String {
    format!("blob.{by}.{n:064}.0")
}

/// Plants the requests in the contents of each identity that has contents, for readers to make the server send them.
async fn plant(clients: &[(User, Client)]) {
    for (user, client) in clients {
        let contents = format!("blob.{}.", user.name);
        if !user.publish.iter().any(|one| one.starts_with(&contents)) {
            continue;
        }
        for (n, (_, body)) in requests().iter().enumerate() {
            let bytes = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            let place = place(user.name, n);
            put(client, &place, HeaderMap::new(), bytes.as_bytes()).await;
        }
    }
}

/// Subjects to which only their owner may publish.
fn targets() -> Vec<String> {
    let task = "019abcde-0000-7000-8000-000000000001";
    let mut all = Vec::new();
    for (request, _) in requests() {
        all.extend([API, OWN_API].map(|api| format!("{api}.{request}")));
    }
    for author in AuthorId::ALL {
        let family = stream::family(*author).replace("*.*.*", &format!("{task}.action.started"));
        all.push(family.replace("*.*", "halt.ordered"));
        all.push(format!("blob.{author}.{}.0", "f".repeat(64)));
    }
    for user in users() {
        all.push(format!("_INBOX.{}.x.1", user.name));
    }
    let rest = [
        "live.audit.head.-",
        "call.audit.owner.prove",
        "trigger.cli.reflected",
        "_R_.x.y",
        stream::COPY_DELIVERED,
        "$JS.ACK.AUDIT.policy.1.1.1.1.0",
        "$JS.FC.AUDIT.audit-reader.x",
        "$SYS.REQ.SERVER.PING.VARZ",
        "$SYS.REQ.ACCOUNT.BUS.CONNZ",
        "$JS.API.ACCOUNT.PURGE.BUS",
        "$JS.API.META.LEADER.STEPDOWN",
        "$JS.EVENT.ADVISORY.STREAM.DELETED.AUDIT",
    ];
    all.extend(rest.map(str::to_owned));
    all
}

/// The requests that a user may make, each with a body: empty ones, and ones that read the planted contents.
fn sources(user: &User, target: &str) -> Vec<(String, Vec<u8>)> {
    let task = "019abcde-0000-7000-8000-000000000002";
    let mut all = Vec::new();
    for pattern in &user.publish {
        let subject = pattern.replace('*', task).replace('>', "x.y");
        let api = pattern.contains(".API.");
        if pattern.contains("DIRECT.GET.BLOBS.") {
            let by = pattern.split('.').rev().nth(1).unwrap();
            // The content that is a request there, or any other one.
            let fits = |(request, _): &(String, Value)| target.ends_with(request.as_str());
            let n = requests().iter().position(fits).unwrap_or(0);
            let api = user.api();
            all.push((
                format!("{api}.DIRECT.GET.BLOBS.{}", place(by, n)),
                Vec::new(),
            ));
        } else if pattern.ends_with("DIRECT.GET.AUDIT") {
            for question in [
                r#"{"seq":1}"#,
                r#"{"batch":3,"seq":1}"#,
                r#"{"seq":99999999}"#,
            ] {
                all.push((subject.clone(), question.into()));
            }
        } else if pattern.contains(".MSG.NEXT.") {
            all.push((subject.clone(), br#"{"batch":3,"no_wait":true}"#.to_vec()));
        } else if pattern.contains(".CONSUMER.CREATE.") {
            let name = "push";
            let config = json!({"stream_name": AUDIT, "config": {"name": name, "durable_name": name,
                "ack_policy": "none", "deliver_policy": "all", "deliver_subject": target}});
            let create = format!("{OWN_API}.CONSUMER.CREATE.{AUDIT}.{name}");
            all.push((create, config.to_string().into_bytes()));
        } else if api {
            all.push((subject, Vec::new()));
        } else {
            all.push((subject, b"reflect".to_vec()));
        }
    }
    all
}

/// Headers that make the server act on a stored message.
fn headers(target: &str) -> Vec<HeaderMap> {
    let with = |pairs: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        headers
    };
    vec![
        HeaderMap::new(),
        with(&[("Nats-Trace-Dest", target)]),
        with(&[("Nats-Trace-Dest", target), ("Nats-Trace-Only", "true")]),
        with(&[
            ("Nats-Schedule", "@at 2020-01-01T00:00:00Z"),
            ("Nats-Schedule-Target", target),
        ]),
        with(&[("Nats-Rollup", "all")]),
        with(&[("Nats-Request-Info", r#"{"acc":"POLICY","user":"policy"}"#)]),
    ]
}

/// Sends every request that `user` may make with every reply subject; returns their number.
async fn reflect_everything(user: &User, client: &Client) -> usize {
    let mut sent = 0;
    for target in targets() {
        for (subject, body) in sources(user, &target) {
            let stored = subject.starts_with("event.") || subject.starts_with("blob.");
            let variants = headers(&target);
            let variants = if stored {
                &variants[..]
            } else {
                &variants[..1]
            };
            for headers in variants {
                let sending = client.nats.publish_with_reply_and_headers(
                    subject.clone(),
                    target.clone(),
                    headers.clone(),
                    body.clone().into(),
                );
                sending.await.unwrap();
                sent += 1;
                if sent % AT_ONCE == 0 {
                    client.refused().await;
                }
            }
        }
    }
    client.refused().await;
    sent
}

/// All subscriptions of the other identities, and their messages.
struct Ears(Vec<(&'static str, String, async_nats::Subscriber)>);

impl Ears {
    async fn of(clients: &[(User, Client)], not: &str) -> Self {
        let mut all = Vec::new();
        for (user, client) in clients.iter().filter(|(user, _)| user.name != not) {
            for subject in &user.subscribe {
                let heard = client.nats.subscribe(subject.clone()).await.unwrap();
                all.push((user.name, subject.clone(), heard));
            }
            client.refused().await;
        }
        Self(all)
    }

    /// The received messages, without calls that the caller may make.
    fn heard(self, from: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (user, subject, mut heard) in self.0 {
            while let Some(Some(message)) = heard.next().now_or_never() {
                let call = message.subject.starts_with("call.") && message.subject.contains(from);
                // A request of this test itself.
                let asked =
                    message.subject.starts_with("_INBOX.") && !message.subject.ends_with(".x.1");
                if !call && !asked {
                    all.push(format!("{user} on {subject}: {}", message.subject));
                }
            }
        }
        all
    }
}

async fn clients(deployment: &Deployment) -> Vec<(User, Client)> {
    let mut all = Vec::new();
    for user in users() {
        let client = deployment.client(user.name).await;
        all.push((user, client));
    }
    all
}

#[tokio::test]
async fn no_identity_has_the_server_do_or_store_anything_outside_its_own_subtree() {
    let deployment = Deployment::provisioned().await;
    let clients = clients(&deployment).await;
    let watcher = deployment.client("provision").await;
    plant(&clients).await;
    let mut sent = 0;
    for (user, client) in &clients {
        // It is in the account of the streams, and offline.
        if user.name == "provision" {
            continue;
        }
        let before = held(&watcher).await;
        let ears = Ears::of(&clients, user.name).await;
        sent += reflect_everything(user, client).await;
        // The server answers in order.
        deployment.record().await;
        let after = held(&watcher).await;
        assert_eq!(
            changed_by(user.name, &before, &after),
            [""; 0],
            "{}",
            user.name
        );
        assert_eq!(ears.heard(user.name), [""; 0], "{}", user.name);
        // No answer is stored under its own subjects, except a trace that it requested.
        let record = deployment.record().await;
        let answers = record.messages.iter().filter(|one| {
            let body = String::from_utf8_lossy(&one.stored.body);
            body.starts_with("{\"stream\"") || body.contains("io.nats.jetstream.api")
        });
        assert_eq!(answers.count(), 0, "{}", user.name);
    }
    assert!(sent > 20_000, "{sent}");
    // Nothing has changed: everything still works.
    deployment.start_all().await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
}

/// The attack itself: in one account the same requests change the state of others, and even delete streams.
#[tokio::test]
async fn in_one_account_the_same_requests_change_what_others_have() {
    for name in ["owner", "audit-reader"] {
        let deployment = Deployment::new();
        deployment.in_one_account();
        deployment.nats().start().await;
        deployment.provision().await;
        let clients = clients(&deployment).await;
        let watcher = deployment.client("provision").await;
        plant(&clients).await;
        let before = held(&watcher).await;
        let (user, client) = clients.iter().find(|(user, _)| user.name == name).unwrap();
        reflect_everything(user, client).await;
        // The server executes the request after its answer.
        let after = eventually(SOON, async || {
            let after = held(&watcher).await;
            let created = &after["AUDIT created"];
            if *created == before["AUDIT created"] {
                return Err(format!("{name}: AUDIT is still that of {created}"));
            }
            Ok(after)
        })
        .await;
        let changed = changed_by(name, &before, &after);
        assert!(changed.len() > 10, "{name}: {changed:?}");
        assert_ne!(before["AUDIT created"], after["AUDIT created"], "{name}");
    }
}

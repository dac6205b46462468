//! The permissions of each user, tried on the real server with the shipped configuration.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path, time::Duration};

use async_nats::HeaderMap;
use bus_schema::{ACTORS, AUDIT, AuthorId, STREAMS, TRIGGERS, account::users};
use futures::StreamExt as _;
use harness::{Client, Deployment};

/// The table of permissions that bus-schema generates.
const WORKED_OUT: &str = include_str!("../../nats/matrix.txt");
/// Subjects tried between two reads of the refusals; async-nats keeps at most 128 of its own events.
const AT_ONCE: usize = 40;

/// The operations that the server allows one user on each subject.
#[derive(Default)]
struct Allowed {
    publish: BTreeSet<String>,
    subscribe: BTreeSet<String>,
}

#[tokio::test]
async fn every_user_is_held_to_its_rights_and_every_right_works() {
    let deployment = Deployment::provisioned().await;
    let families = families();
    let mut clients = Vec::new();
    let mut rights = Vec::new();
    for user in users() {
        let client = deployment.client(user.name).await;
        rights.push(tried(&client, &families).await);
        clients.push(client);
    }
    let table = table(&families, &rights);
    golden("permissions.txt", &table);
    let found: BTreeSet<_> = table.lines().collect();
    for line in WORKED_OUT.lines() {
        assert!(
            found.contains(line),
            "the server does otherwise than nats/matrix.txt says:\n{line}"
        );
    }
    for (client, allowed) in clients.iter().zip(&rights) {
        for subject in &allowed.publish {
            answered(client, subject).await;
        }
    }
    delivered(&clients, &rights, &families).await;
}

#[tokio::test]
async fn without_the_shipped_permissions_everything_would_be_possible() {
    let deployment = Deployment::new();
    deployment.without_permissions();
    deployment.nats().start().await;
    let client = deployment.client("worker").await;
    let deadly = ["event.policy.action.granted", "$JS.API.STREAM.DELETE.AUDIT"];
    let families: Vec<_> = deadly.map(str::to_owned).to_vec();
    let allowed = tried(&client, &families).await;
    assert_eq!((allowed.publish.len(), allowed.subscribe.len()), (2, 2));
}

/// Tries to publish and to subscribe to each subject; an operation without a refusal is allowed.
async fn tried(client: &Client, families: &[String]) -> Allowed {
    let mut allowed = Allowed::default();
    for some in families.chunks(AT_ONCE) {
        for subject in some {
            let published = client.nats.publish(subject.clone(), "x".into()).await;
            published.unwrap();
        }
        let refused = client.refused().await.join("\n");
        let open = |subject: &&String| !refused.contains(&format!("for Publish to \"{subject}\""));
        allowed.publish.extend(some.iter().filter(open).cloned());
        assert_eq!(
            refused.lines().count(),
            some.iter().filter(|one| !open(one)).count()
        );
        let mut subscriptions = Vec::new();
        for subject in some {
            subscriptions.push(client.nats.subscribe(subject.clone()).await.unwrap());
        }
        let refused = client.refused().await.join("\n");
        let open =
            |subject: &&String| !refused.contains(&format!("for Subscription to \"{subject}\""));
        allowed.subscribe.extend(some.iter().filter(open).cloned());
        assert_eq!(
            refused.lines().count(),
            some.iter().filter(|one| !open(one)).count()
        );
    }
    allowed
}

/// A stream stores each allowed publish, and the server's API answers each allowed request.
async fn answered(client: &Client, subject: &str) {
    let stream = ["event.", "blob.", "timer.", "trigger."]
        .iter()
        .any(|family| subject.starts_with(family));
    if stream {
        let unlike_before = client.nats.new_inbox();
        let ack = client.store(subject, HeaderMap::new(), unlike_before.as_bytes());
        let ack = ack.await.unwrap();
        // The content of an earlier attempt is stored, so another one of that name is refused.
        assert!(
            matches!(ack.stored(), Ok(_) | Err(10_077)),
            "{subject}: {ack:?}"
        );
    } else if subject.starts_with("$JS.API.CONSUMER.") && client.api != "$JS.BUS.API" {
        // There are no consumers of those names in its own account, or it may only make some.
    } else if subject.starts_with("$JS.BUS.API.") || subject.starts_with("$JS.API.") {
        let question = if subject.contains(".MSG.NEXT.") {
            r#"{"no_wait":true}"#
        } else {
            ""
        };
        // A delivered message keeps its own subject, so a request would not match it.
        let inbox = client.nats.new_inbox();
        let mut answers = client.nats.subscribe(inbox.clone()).await.unwrap();
        client.reflect(subject, &inbox, question.as_bytes()).await;
        let answer = tokio::time::timeout(Duration::from_secs(5), answers.next()).await;
        assert!(answer.is_ok(), "{subject}: no answer");
    }
}

/// A message that one user may publish and another may subscribe to arrives.
async fn delivered(clients: &[Client], rights: &[Allowed], families: &[String]) {
    let mut pairs = 0;
    for subject in families {
        for (speaker, _) in clients
            .iter()
            .zip(rights)
            .filter(|(_, right)| right.publish.contains(subject))
        {
            let hears = clients.iter().zip(rights);
            for (hearer, _) in hears.filter(|(_, right)| right.subscribe.contains(subject)) {
                let mut heard = hearer.nats.subscribe(subject.clone()).await.unwrap();
                assert_eq!(hearer.refused().await, [""; 0]);
                speaker
                    .nats
                    .publish(subject.clone(), "said".into())
                    .await
                    .unwrap();
                speaker.nats.flush().await.unwrap();
                let message = tokio::time::timeout(Duration::from_secs(5), heard.next()).await;
                let message = message.unwrap_or_else(|_| panic!("{subject} does not arrive"));
                assert_eq!(message.unwrap().payload.as_ref(), b"said", "{subject}");
                pairs += 1;
            }
        }
    }
    // The head to five readers, pieces of answers to the gateway, the question for a proof, the order to halt for each executor,
    // the release and the renewal of a secret, and the requests for a page and for its changes.
    assert_eq!(pairs, 13);
}

/// One subject of each family: those of the generated table, and all other entries of the server.
fn families() -> Vec<String> {
    let rows = WORKED_OUT.lines().skip(1);
    let mut all: Vec<_> = rows
        .filter_map(|row| row.split(' ').next().map(str::to_owned))
        .collect();
    for stream in STREAMS.iter().map(|stream| stream.name).chain(["OTHER"]) {
        for verb in [
            "CREATE",
            "UPDATE",
            "DELETE",
            "PURGE",
            "INFO",
            "MSG.GET",
            "MSG.DELETE",
            "SNAPSHOT",
            "RESTORE",
            "PEER.REMOVE",
            "LEADER.STEPDOWN",
        ] {
            all.push(format!("$JS.API.STREAM.{verb}.{stream}"));
        }
        for verb in ["NAMES", "LIST", "CREATE"] {
            all.push(format!("$JS.API.CONSUMER.{verb}.{stream}"));
        }
        for verb in [
            "CREATE",
            "DURABLE.CREATE",
            "INFO",
            "MSG.NEXT",
            "RESET",
            "DELETE",
            "PAUSE",
            "UNPIN",
            "LEADER.STEPDOWN",
        ] {
            all.push(format!("$JS.API.CONSUMER.{verb}.{stream}.other"));
        }
        all.push(format!("$JS.API.DIRECT.GET.{stream}"));
        all.push(format!("$JS.API.DIRECT.GET.{stream}.other.subject"));
        all.push(format!("$JS.FC.{stream}.other.ID"));
        all.push(format!("$JS.ACK.{stream}.other.1.1.1.1.0"));
        all.push(format!("$JS.ACK.HASH.BUS.{stream}.other.1.1.1.1.0.TOKEN"));
        all.push(format!("$JS.SNAPSHOT.RESTORE.{stream}.ID"));
        all.push(format!("$JS.EVENT.ADVISORY.STREAM.DELETED.{stream}"));
    }
    for actor in ACTORS {
        for verb in ["LEADER.STEPDOWN", "RESET", "MSG.NEXT"] {
            all.push(format!("$JS.API.CONSUMER.{verb}.{AUDIT}.{actor}"));
        }
        all.push(format!("$JS.API.CONSUMER.CREATE.{AUDIT}.{actor}.>"));
        all.push(format!("$JS.API.CONSUMER.MSG.NEXT.{TRIGGERS}.{actor}"));
    }
    for by in AuthorId::ALL {
        all.push(format!("event.{by}.-.service.started"));
        all.push(format!("event.{by}.-.service.started.more"));
        all.push(format!("event.{by}"));
        all.push(format!("blob.{by}.DIGEST.0.more"));
        all.push(format!("live.{by}.what.KEY"));
        all.push(format!("call.{by}.worker.prove"));
        all.push(format!("call.{by}.release.secret"));
    }
    all.extend(
        users()
            .iter()
            .map(|user| format!("_INBOX.{}.ID.1", user.name)),
    );
    all.extend(ELSE.iter().map(|subject| (*subject).to_owned()));
    all.dedup();
    let mut seen = BTreeSet::new();
    all.retain(|subject| seen.insert(subject.clone()));
    all
}

/// Subjects that belong to nobody.
const ELSE: &[&str] = &[
    "$JS.API.ACCOUNT.PURGE.BUS",
    "$JS.API.ACCOUNT.STREAM.MOVE.BUS.AUDIT",
    "$JS.API.META.LEADER.STEPDOWN",
    "$JS.API.SERVER.REMOVE",
    "$JS.API.DIRECT.GET.KV_B.$KV.B.KEY",
    "$JS.EVENT.METRIC.CONSUMER.ACK.AUDIT.other",
    "$SYS.REQ.ACCOUNT.BUS.INFO",
    "$SYS.REQ.ACCOUNT.PING.CONNZ",
    "$SYS.REQ.SERVER.PING.VARZ",
    "$SYS.REQ.SERVER.ID.RELOAD",
    "$SYS.REQ.USER.INFO",
    "$SYS.ACCOUNT.BUS.CONNECT",
    "$SRV.INFO.NAME",
    "$NRG.V.ID",
    "$GNR.1",
    "_INBOX.ID",
    "_INBOX.other.ID",
    "timer.JOB.more",
    "due.JOB.more",
    "trigger.cli.NAME.more",
    "trigger.gateway.NAME",
    ">",
    "*",
    "event.>",
    "event.*.*.*.*",
    "blob.>",
    "live.>",
    "live.*.*.*",
    "call.>",
    "_INBOX.>",
    "_INBOX.*.ID",
    "$JS.>",
    "$SYS.>",
];

fn table(families: &[String], rights: &[Allowed]) -> String {
    let users = users();
    let mut text = format!("{:<72}", "# p publish, s subscribe, . refused");
    for user in &users {
        write!(text, " {}", user.name).unwrap();
    }
    text.push('\n');
    for family in families {
        write!(text, "{family:<72}").unwrap();
        for (user, allowed) in users.iter().zip(rights) {
            let cell = match (
                allowed.publish.contains(family),
                allowed.subscribe.contains(family),
            ) {
                (true, true) => "ps",
                (true, false) => "p",
                (false, true) => "s",
                (false, false) => ".",
            };
            write!(text, " {cell:<width$}", width = user.name.len()).unwrap();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Checks that the file is up to date; `GOLDEN=write` writes it.
fn golden(name: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&file, wanted).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    let differ: Vec<_> = wanted
        .lines()
        .filter(|line| !found.contains(line))
        .collect();
    assert!(
        found == wanted,
        "the server does otherwise than tests/golden/{name} says:\n{}\nif that is meant, run `just golden`",
        differ.join("\n")
    );
}

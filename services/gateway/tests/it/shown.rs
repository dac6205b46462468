//! Tests of submissions, approvals and reads.

use std::time::Duration;

use actor::health::Health;
use bus_schema::{
    AuthorId, Deployment, Digest, Draft, Egress, HaltOrdered, Owner, Policy, RefusalCode,
    TaskOutcome, TaskRejected,
};
use futures::StreamExt as _;
use gateway::{
    Limits,
    api::{Event, TaskState},
    client::{Client, Error},
};
use serde_json::Value;

use crate::{
    said,
    world::{World, content, deployment, key},
};

#[tokio::test]
async fn submitted_task_is_carried_and_shown() {
    let world = World::start().await;
    let client = world.client();
    let contract = Digest::of(&[b"contract"]);
    let submitted = client.submit(contract, b"[[step]]").await.unwrap();
    assert_eq!(submitted.seq, 2);
    let stored = world
        .stream()
        .log
        .contents
        .values()
        .next()
        .cloned()
        .unwrap();
    assert_eq!(&stored[32..], b"[[step]]");
    let task = client.task(submitted.task).await.unwrap();
    assert_eq!(task.summary.state, TaskState::Submitted);
    assert!(task.summary.complete);
    let [event] = task.events.as_slice() else {
        panic!("{task:?}")
    };
    assert_eq!((event.seq, event.kind.as_str()), (2, "task.submitted"));
    assert_eq!(event.stored, task.summary.submitted);
    let named = &event.body["fact"]["playbook"];
    assert_eq!(named["digest"], Digest::of(&[&stored]).to_string());
    let playbook = serde_json::from_value(named.clone()).unwrap();
    let bytes = client.content(AuthorId::Gateway, &playbook).await.unwrap();
    assert_eq!(bytes.as_deref(), Some(b"[[step]]".as_slice()));
    for stored in world.stream().log.contents.values_mut() {
        stored.push(b'!');
        stored.remove(32);
    }
    let forged = client.content(AuthorId::Gateway, &playbook).await;
    assert!(matches!(forged, Err(Error::NotGenuine)), "{forged:?}");
    world.stream().log.contents.clear();
    assert_eq!(
        client.content(AuthorId::Gateway, &playbook).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn approval_of_a_drafted_grant_is_carried() {
    let world = World::start().await;
    let task = world.submitted();
    let draft = world.draft(task);
    let carried = world.client().approve(&draft, true).await.unwrap();
    assert_eq!(
        (carried.task, carried.action, carried.seq),
        (task, draft.action, 3)
    );
    let shown = world.client().task(task).await.unwrap();
    assert_eq!(shown.events.last().unwrap().kind, "approval.carried");
    let no = world.client().approve(&draft, false).await.unwrap();
    assert_eq!(no.seq, 4, "a no is another statement than a yes");
}

#[tokio::test]
async fn summary_follows_the_life_of_a_task() {
    let world = World::start().await;
    let client = world.client();
    let task = world.submitted();
    let state = async || client.task(task).await.unwrap().summary;
    world.append(said::admitted(task));
    let summary = state().await;
    assert_eq!(summary.state, TaskState::Admitted);
    assert_eq!(summary.contract, Some(Digest::of(&[b"contract"])));
    let (first, second) = (world.draft(task), world.draft(task));
    world.append(said::proposed(&first));
    assert_eq!(state().await.state, TaskState::Running);
    world.append(said::granted(&first));
    world.append(said::granted(&second));
    let started = world.append(said::started(task, first.action));
    world.append(said::started(task, second.action));
    world.append(said::finished(task, first.action));
    // An executor that the action was not granted to says nothing about it.
    world.append(said::finished_by::<Egress>(task, second.action));
    assert_eq!((state().await.granted, state().await.unknown), (2, 0));
    world.clock.advance(Duration::from_secs(7));
    assert_eq!(state().await.unknown, 0, "bus time alone counts");
    world.append(said::finished(task, second.action));
    let summary = state().await;
    assert_eq!(summary.unknown, 1, "a late outcome changes nothing");
    assert!(summary.updated.ms_since(started.stored) > 6_000);
    let end = world.append(said::over(task));
    let summary = state().await;
    assert_eq!(
        (summary.state, summary.outcome),
        (TaskState::Finished, Some(TaskOutcome::Succeeded))
    );
    assert_eq!(summary.ended, Some(end.stored));
    world.append(Draft::<Policy>::of(
        task,
        TaskRejected {
            code: RefusalCode::Expired,
            why: None,
        },
    ));
    assert_eq!(
        state().await.state,
        TaskState::Finished,
        "what is over stays over"
    );
}

#[tokio::test]
async fn tasks_are_listed_newest_first() {
    let world = World::start().await;
    let older = world.submitted();
    let newer = world.submitted();
    world.append(Draft::<Policy>::of(
        older,
        TaskRejected {
            code: RefusalCode::NoContract,
            why: None,
        },
    ));
    let tasks = world.client().tasks().await.unwrap();
    assert!(!tasks.halted);
    let ids: Vec<_> = tasks.tasks.iter().map(|summary| summary.task).collect();
    assert_eq!(ids, [newer, older]);
    assert_eq!(tasks.tasks[1].state, TaskState::Rejected);
    assert_eq!(tasks.tasks[1].refusal, Some(RefusalCode::NoContract));
    world.append(Draft::<Owner>::of(Deployment, HaltOrdered {}));
    assert!(world.client().tasks().await.unwrap().halted);
}

#[tokio::test]
async fn content_is_bytes_that_no_browser_interprets() {
    let world = World::start().await;
    let ready = world.task();
    assert_eq!(world.post("/v1/tasks", &ready.json()).await.status, 202);
    let playbook = ready.playbook.content();
    let path = format!(
        "/v1/contents/gateway/{}/{}",
        playbook.digest(),
        playbook.len()
    );
    let answer = world.get(&path).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "[[step]]\n"));
    assert!(
        answer
            .head
            .contains("content-type: application/octet-stream"),
        "{}",
        answer.head
    );
    assert!(
        answer.head.contains("x-content-type-options: nosniff"),
        "{}",
        answer.head
    );
}

#[tokio::test]
async fn nothing_is_shown_before_the_stream_was_read() {
    let world = World::starting(Limits::SERVICE).await;
    let ready = world.task();
    for answer in [
        world.get("/v1/tasks").await,
        world.post("/v1/tasks", &ready.json()).await,
    ] {
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (503, "not-ready")
        );
        assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    }
    world.stream().catch_up();
    assert_eq!(world.get("/v1/tasks").await.status, 200);
}

#[tokio::test]
async fn health_needs_no_access_and_tells_no_detail() {
    let world = World::start().await;
    let write = |ok: bool, state: &str| {
        let at = world.clock.wall();
        let health = Health {
            at,
            ok,
            state: state.to_owned(),
            seq: 77,
            junk: 99,
        };
        std::fs::write(
            world.state.join("health.json"),
            serde_json::to_vec(&health).unwrap(),
        )
        .unwrap();
    };
    write(true, "ready");
    let answer = world.ask("GET /v1/health", &[], "").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"ok":true}"#)
    );
    write(false, "cannot read the stream");
    let answer = world.ask("GET /v1/health", &[], "").await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "not-ready")
    );
    assert!(!answer.body.contains("stream"), "{}", answer.body);
    write(true, "ready");
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(
        world.ask("GET /v1/health", &[], "").await.status,
        503,
        "an old word is none"
    );
}

#[tokio::test]
async fn client_says_what_the_gateway_refused() {
    let world = World::start().await;
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let url = format!("http://{}/", world.address);
    let client = Client::new(&url, stranger, deployment(), world.clock.clone()).unwrap();
    let Err(Error::Refused(problem)) = client.tasks().await else {
        panic!("a stranger reads")
    };
    assert_eq!(problem.status, 401);
    let Err(Error::Refused(problem)) = client.submit(Digest::ZERO, b"x").await else {
        panic!("a stranger submits")
    };
    assert_eq!(problem.status, 403);
    let followed: Vec<_> = client.follow(world.submitted()).collect().await;
    let [Err(error)] = followed.as_slice() else {
        panic!("{followed:?}")
    };
    assert!(!error.is_passing(), "{error}");
}

#[test]
fn client_speaks_in_the_clear_to_this_machine_only() {
    let client = |url: &str| {
        let clock = actor::Clock::fake(bus_schema::Time::default());
        Client::new(url, key(AuthorId::Owner), deployment(), clock).map(drop)
    };
    for url in [
        "http://127.0.0.1:8080",
        "http://127.0.0.1:8080/",
        "http://localhost:1",
        "http://[::1]:1",
    ] {
        client(url).unwrap();
    }
    for url in [
        "",
        "127.0.0.1:8080",
        "https://127.0.0.1:1",
        "http://example.com",
        "http://10.0.0.1:1",
        "http://127.0.0.1:1/v1",
        "http://a@127.0.0.1:1",
        "http://127.0.0.1:1?x",
        "http://localhost.example",
    ] {
        assert!(matches!(client(url), Err(Error::Url(_))), "{url}");
    }
}

#[tokio::test]
async fn event_is_shown_as_its_author_signed_it() {
    let world = World::start().await;
    let task = world.submitted();
    let draft = world.draft(task);
    world.append(said::granted(&draft));
    let events = world.client().task(task).await.unwrap().events;
    let Event { body, .. } = events.last().unwrap();
    assert_eq!(body["subject"], Value::from("event.policy.action.granted"));
    let shown = serde_json::from_value(body["fact"]["grant"]["draft"].clone());
    assert_eq!(
        shown.ok(),
        Some(draft.clone()),
        "what is shown can be signed"
    );
    assert_eq!(draft.args, content(b"{}"));
}

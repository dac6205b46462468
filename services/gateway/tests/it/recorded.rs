//! Tests of the projection: its state across restarts, and its limits.

use std::sync::Arc;

use actor::{Clock, Core as _};
use bus_schema::{Draft, Gateway, Sealed, TaskId, TaskSubmitted, wire};
use gateway::{
    Limits, SharedRecord,
    record::{EVENTS_MAX, Record, TASKS_MAX},
};

use crate::{
    said,
    world::{Stream, World, signed_task},
};

fn stream() -> (Stream, Clock, Arc<SharedRecord>) {
    let clock = Clock::fake("2026-01-02T03:04:05Z".parse().unwrap());
    let shared_record = SharedRecord::new();
    (
        Stream::new(Arc::clone(&shared_record), clock.clone()),
        clock,
        shared_record,
    )
}

fn submit(stream: &mut Stream, clock: &Clock) -> TaskId {
    let task = TaskId::new(clock.uuid());
    let playbook = Sealed::new(clock.salt(), b"x").unwrap();
    let fact = TaskSubmitted {
        statement: signed_task(task, &playbook),
        playbook: playbook.content(),
        slots: None,
        dialogue: None,
    };
    stream.append(Draft::<Gateway>::of(task, fact));
    task
}

#[test]
fn kept_record_is_the_record_again() {
    let (mut stream, clock, shared_record) = stream();
    let task = submit(&mut stream, &clock);
    stream.append(said::admitted(task));
    let kept = wire::encode(stream.core.state());
    let read: Record = wire::decode(&kept).unwrap();
    assert_eq!(&read, stream.core.state());
    stream.core = gateway::core::Core::new(shared_record);
    stream.core.restore(read);
    stream.append(said::over(task));
    assert!(stream.core.state().summaries()[0].ended.is_some());
}

#[test]
fn events_of_unknown_tasks_open_no_record() {
    let (mut stream, clock, _) = stream();
    let task = TaskId::new(clock.uuid());
    stream.append(said::over(task));
    stream.append(said::admitted(task));
    assert_eq!(stream.core.state().summaries(), []);
}

#[tokio::test]
async fn only_the_newest_tasks_are_kept() {
    let world = World::with(Limits::SERVICE).await;
    let first = world.submitted();
    let ready = {
        let playbook = Sealed::new(world.clock.salt(), b"x").unwrap();
        crate::world::Ready {
            task: first,
            signed: signed_task(first, &playbook),
            playbook,
        }
    };
    for _ in 0..TASKS_MAX {
        world.submitted();
    }
    let tasks = world.client().tasks().await.unwrap().tasks;
    assert_eq!(tasks.len(), TASKS_MAX);
    assert!(tasks.iter().all(|summary| summary.task != first));
    assert!(tasks.is_sorted_by(|one, next| one.seq > next.seq));
    let answer = world.get(&format!("/v1/tasks/{first}")).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (404, "not-kept")
    );
    assert!(
        answer.body.contains("contractual audit show"),
        "{}",
        answer.body
    );
    let reused = world.post("/v1/tasks", &ready.json()).await;
    assert_eq!(reused.status, 409, "an id stays used");
    let fact = TaskSubmitted {
        statement: ready.signed,
        playbook: ready.playbook.content(),
        slots: None,
        dialogue: None,
    };
    world.append(Draft::<Gateway>::of(first, fact));
    let tasks = world.client().tasks().await.unwrap().tasks;
    assert!(tasks.iter().all(|summary| summary.task != first));
}

#[test]
fn long_task_keeps_its_first_events_and_its_end() {
    let (mut stream, clock, _) = stream();
    let task = submit(&mut stream, &clock);
    stream.append(said::admitted(task));
    for _ in 0..EVENTS_MAX {
        stream.append(said::started(task, bus_schema::ActionId::new(clock.uuid())));
    }
    let end = stream.append(said::over(task));
    stream.append(said::over(task));
    let summary = stream.core.state().summaries().remove(0);
    assert!(!summary.complete);
    assert_eq!(summary.ended, Some(end.stored));
    let kept = wire::encode(stream.core.state());
    let ends = kept.windows(4).filter(|window| window == b"kind").count();
    // Each line holds its kind twice: beside its text, and in it.
    assert_eq!(ends, 2 * (EVENTS_MAX + 1));
}

//! Tests of server-sent events: live, resumed, ended.

use std::time::Duration;

use actor::Clock;
use bus_schema::{AuthorId, Time};
use futures::StreamExt as _;
use gateway::{Limits, api::Event, client::Client};
use tokio::time::timeout;

use crate::{
    said,
    world::{World, access, authorization, deployment, key},
};

const SOON: Duration = Duration::from_secs(10);

fn ids(body: &str) -> Vec<u64> {
    body.lines()
        .filter_map(|line| line.strip_prefix("id: ")?.parse().ok())
        .collect()
}

#[tokio::test]
async fn events_come_live_until_the_task_is_over() {
    let world = World::start().await;
    let task = world.submitted();
    let mut events = Box::pin(world.client().follow(task));
    let mut kinds = Vec::new();
    for draft in 0..3 {
        let event = timeout(SOON, events.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        kinds.push(event.kind);
        match draft {
            0 => drop(world.append(said::admitted(task))),
            1 => drop(world.append(said::over(task))),
            _ => {}
        }
    }
    assert_eq!(kinds, ["task.submitted", "task.admitted", "task.finished"]);
    assert!(timeout(SOON, events.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn stream_is_taken_up_behind_the_last_event() {
    let world = World::start().await;
    let task = world.submitted();
    world.append(said::admitted(task));
    let other = world.submitted();
    world.append(said::admitted(other));
    world.append(said::over(task));
    let access = world.access();
    let path = format!("GET /v1/tasks/{task}/events");
    let whole = world.ask(&path, &[&access], "").await;
    assert_eq!((whole.status, ids(&whole.body)), (200, vec![2, 3, 6]));
    assert!(
        whole.head.contains("content-type: text/event-stream"),
        "{}",
        whole.head
    );
    assert!(
        whole.body.contains("event: task.finished"),
        "{}",
        whole.body
    );
    let data = whole
        .body
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    let event: Event = serde_json::from_str(data).unwrap();
    assert_eq!((event.seq, event.kind.as_str()), (2, "task.submitted"));
    for (last, rest) in [("0", vec![2, 3, 6]), ("2", vec![3, 6]), ("4", vec![6])] {
        let answer = world
            .ask(&path, &[&access, &format!("Last-Event-ID: {last}")], "")
            .await;
        assert_eq!(ids(&answer.body), rest, "behind {last}");
    }
    let nothing = world.ask(&path, &[&access, "Last-Event-ID: 6"], "").await;
    assert_eq!((nothing.status, nothing.body.as_str()), (204, ""));
}

#[tokio::test]
async fn client_sees_each_event_once_over_connections_that_end() {
    let limits = Limits {
        connection: Duration::from_millis(60),
        grace: Duration::from_millis(10),
        ..Limits::SERVICE
    };
    let world = World::with(limits).await;
    let task = world.submitted();
    let mut events = Box::pin(world.client().follow(task));
    let mut seqs = Vec::new();
    let mut next = async || {
        timeout(SOON, events.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .seq
    };
    seqs.push(next().await);
    for _ in 0..4 {
        // The client waits on a connection that the gateway ends while no events arrive.
        let quiet = timeout(Duration::from_millis(150), next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        let draft = world.draft(task);
        world.append(said::granted(&draft));
        seqs.push(next().await);
    }
    assert_eq!(seqs, [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn stream_ends_with_its_access() {
    let world = World::start().await;
    let task = world.submitted();
    let until = world.clock.wall().plus_ms(100);
    let access = authorization(&access(deployment(), until));
    let answer = world
        .ask(&format!("GET /v1/tasks/{task}/events"), &[&access], "")
        .await;
    assert_eq!((answer.status, ids(&answer.body)), (200, vec![2]));
    assert!(
        answer.body.ends_with("0\r\n\r\n"),
        "the stream ends whole: {}",
        answer.body
    );
}

#[tokio::test]
async fn client_goes_on_with_a_fresh_access_however_long_nothing_is_said() {
    let world = World::start().await;
    let task = world.submitted();
    // Its clock is almost a minute behind, so that by the gateway's clock its accesses are valid for 50 ms.
    let behind = world.clock.wall().ns() - 59_950_000_000;
    let client = Client::new(
        &format!("http://{}", world.address),
        key(AuthorId::Owner),
        deployment(),
        Clock::fake(Time::from_ns(behind)),
    );
    let mut events = Box::pin(client.unwrap().follow(task));
    let first = timeout(SOON, events.next()).await.unwrap().unwrap();
    assert_eq!(first.unwrap().seq, 2);
    // If these ends counted as failures, the client would by now wait in a backoff of seconds.
    let quiet = timeout(Duration::from_millis(3_500), events.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    world.append(said::admitted(task));
    let second = timeout(Duration::from_secs(2), events.next()).await;
    let second = second.expect("it is there, and not pausing").unwrap();
    assert_eq!(second.unwrap().seq, 3);
}

#[tokio::test]
async fn many_events_come_in_order() {
    let world = World::start().await;
    let task = world.submitted();
    world.append(said::admitted(task));
    for _ in 0..300 {
        let draft = world.draft(task);
        world.append(said::granted(&draft));
    }
    world.append(said::over(task));
    let events: Vec<_> = world
        .client()
        .follow(task)
        .map(|event| event.unwrap().seq)
        .collect()
        .await;
    assert_eq!(events, (2..=304).collect::<Vec<_>>());
}

#[tokio::test]
async fn streams_end_when_the_gateway_stops() {
    let mut world = World::start().await;
    let mut tasks = std::mem::take(&mut world.tasks);
    let task = world.submitted();
    let path = format!("/v1/tasks/{task}/events");
    let asked = world.get(&path);
    tokio::pin!(asked);
    let open = timeout(Duration::from_millis(100), asked.as_mut()).await;
    assert!(open.is_err(), "a task that is not over has more to say");
    world.stop.send(true).unwrap();
    let answer = timeout(SOON, asked).await.unwrap();
    assert_eq!(ids(&answer.body), [2]);
    assert!(
        answer.body.ends_with("0\r\n\r\n"),
        "the stream ends whole: {}",
        answer.body
    );
    timeout(SOON, tasks.join_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

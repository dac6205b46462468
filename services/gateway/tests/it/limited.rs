//! Tests of the limits of size, number and time.

use std::time::Duration;

use bus_schema::TaskId;
use gateway::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::world::World;

const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(100);

async fn read(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    drop(
        timeout(SOON, socket.read_to_end(&mut bytes))
            .await
            .expect("the gateway closes it"),
    );
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn slow_header_is_cut_off() {
    let world = World::with(Limits {
        header: SHORT,
        ..Limits::SERVICE
    })
    .await;
    let mut silent = TcpStream::connect(world.address).await.unwrap();
    let mut slow = TcpStream::connect(world.address).await.unwrap();
    slow.write_all(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    assert!(!read(&mut silent).await.contains("200 OK"));
    assert!(!read(&mut slow).await.contains("200 OK"));
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let world = World::with(Limits {
        header: SHORT,
        ..Limits::SERVICE
    })
    .await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let request = format!(
        "GET /v1/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n",
        world.address
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    assert!(read(&mut socket).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn slow_body_is_refused() {
    let world = World::with(Limits {
        body: SHORT,
        ..Limits::SERVICE
    })
    .await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /v1/tasks HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
        world.address
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let answer = read(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn large_header_is_refused() {
    let world = World::start().await;
    let long = format!("X-Long: {}", "a".repeat(20_000));
    let answer = world.ask("GET /v1/health", &[&long], "").await;
    assert_eq!(answer.status, 431, "{answer:?}");
    let many: Vec<_> = (0..80).map(|n| format!("X-{n}: 1")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(world.ask("GET /v1/health", &many, "").await.status, 431);
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let world = World::start().await;
    let answer = world
        .raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    assert!(!answer.head.contains("200"), "{answer:?}");
}

#[tokio::test]
async fn streams_are_limited() {
    let world = World::with(Limits {
        streams: 1,
        ..Limits::SERVICE
    })
    .await;
    let task = world.submitted();
    let path = format!("/v1/tasks/{task}/events");
    let open = opened(&world, task, &world.access()).await;
    assert_eq!(open.0, 200);
    let second = world.get(&path).await;
    assert_eq!((second.status, second.problem().as_str()), (503, "busy"));
    assert_eq!(
        world.get("/v1/tasks").await.status,
        200,
        "everything else goes on"
    );
}

#[tokio::test]
async fn streams_are_limited_for_each_access() {
    let world = World::with(Limits {
        streams_each: 2,
        ..Limits::SERVICE
    })
    .await;
    let task = world.submitted();
    let access = world.access();
    let first = opened(&world, task, &access).await;
    let (second, third) = (
        opened(&world, task, &access).await,
        opened(&world, task, &access).await,
    );
    assert_eq!((first.0, second.0, third.0), (200, 200, 429));
    let refused = world
        .ask(&format!("GET /v1/tasks/{task}/events"), &[&access], "")
        .await;
    assert_eq!(refused.problem(), "too-many");
    assert!(refused.body.contains("sign a fresh one"), "{refused:?}");
    world.clock.advance(Duration::from_millis(1));
    let other = opened(&world, task, &world.access()).await;
    assert_eq!(other.0, 200, "another access is another reader");
    drop(first);
    let again = async { while opened(&world, task, &access).await.0 != 200 {} };
    timeout(SOON, again)
        .await
        .expect("the place of a stream that was closed is free");
}

/// The status of the response to an event stream request, and its connection.
async fn opened(world: &World, task: TaskId, access: &str) -> (u16, TcpStream) {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let request = format!(
        "GET /v1/tasks/{task}/events HTTP/1.1\r\nHost: {}\r\n{access}\r\n\r\n",
        world.address
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    let read = timeout(SOON, socket.read_exact(&mut first));
    read.await.unwrap().unwrap();
    let status = String::from_utf8_lossy(&first[9..]).parse().unwrap();
    (status, socket)
}

#[tokio::test]
async fn silent_bus_is_said_to_be_silent_and_nothing_is_carried_twice() {
    let world = World::with(Limits {
        answer: SHORT,
        ..Limits::SERVICE
    })
    .await;
    world.stream().silent = true;
    let ready = world.task();
    let answer = world.post("/v1/tasks", &ready.json()).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (504, "no-answer")
    );
    let again = world.post("/v1/tasks", &ready.json()).await;
    assert_eq!(
        (again.status, again.problem().as_str()),
        (409, "used"),
        "the first is on its way"
    );
    let content = format!("/v1/contents/owner/{}/1", "0".repeat(64));
    assert_eq!(world.get(&content).await.status, 504);
}

#[tokio::test]
async fn silent_stream_says_that_it_is_alive() {
    let limits = Limits {
        keep_alive: SHORT,
        connection: SHORT * 5,
        grace: SHORT / 10,
        ..Limits::SERVICE
    };
    let world = World::with(limits).await;
    let task = world.submitted();
    let answer = world.get(&format!("/v1/tasks/{task}/events")).await;
    assert!(answer.body.contains("\r\n:\n"), "{answer:?}");
}

#[tokio::test]
async fn idle_connections_end_at_once_when_the_gateway_stops() {
    let limits = Limits {
        header: SOON * 6,
        grace: SOON * 6,
        ..Limits::SERVICE
    };
    let world = World::with(limits).await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let request = format!(
        "GET /v1/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n",
        world.address
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    timeout(SOON, socket.read_exact(&mut first))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    world.stop.send(true).unwrap();
    read(&mut socket).await;
}

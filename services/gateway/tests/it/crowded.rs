//! Tests with slow and greedy clients: idle connections give way, and honest clients are served.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use bus_schema::{AuthorId, Salt, Sealed};
use gateway::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::{
    said,
    world::{Answer, World},
};

const SOON: Duration = Duration::from_secs(10);
/// The time limit of an honest client.
const AT_ONCE: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(100);

/// Limits with few connections and no timeout within a test.
const FEW: Limits = Limits {
    connections: 16,
    header: Duration::from_secs(60),
    body: Duration::from_secs(60),
    ..Limits::SERVICE
};

const HALF: &[u8] = b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\n";

/// A connection that has sent these bytes and reads little at a time.
async fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

async fn many(world: &World, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        open.push(sent(world.address, bytes).await);
    }
    open
}

/// Opens connections as fast as it can and keeps the newest of them open.
fn flood(address: SocketAddr, bytes: &'static [u8]) -> JoinSet<()> {
    let mut flood = JoinSet::new();
    flood.spawn(async move {
        let mut open = VecDeque::new();
        loop {
            open.push_back(sent(address, bytes).await);
            if open.len() > 4 * FEW.connections {
                open.pop_front();
            }
        }
    });
    flood
}

fn request(world: &World, path: &str) -> Vec<u8> {
    let (host, access) = (world.address, world.access());
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{access}\r\n\r\n").into_bytes()
}

/// The response to an honest client, which must come at once.
async fn honest(world: &World) -> Answer {
    let answer = timeout(AT_ONCE, world.get("/v1/tasks")).await;
    answer.expect("an honest client is answered at once")
}

async fn begins(socket: &mut TcpStream, status: &str) {
    let mut first = [0; 12];
    let read = timeout(SOON, socket.read_exact(&mut first)).await.unwrap();
    let first = read.map(|_| String::from_utf8_lossy(&first).into_owned());
    assert_eq!(first.unwrap(), format!("HTTP/1.1 {status}"));
}

async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = timeout(SOON, socket.read_to_end(&mut bytes)).await;
    // A connection that was displaced may be reset.
    drop(read.expect("the gateway closes it"));
    bytes
}

/// Reads until this text has arrived.
async fn until(socket: &mut TcpStream, text: &str) {
    let mut come = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&come).contains(text) {
            come.push(socket.read_u8().await.unwrap());
        }
    };
    timeout(SOON, reading).await.expect(text);
}

#[tokio::test]
async fn half_headers_lock_nobody_out() {
    let world = World::with(FEW).await;
    let mut first = many(&world, 2 * FEW.connections, HALF).await;
    let _flood = flood(world.address, HALF);
    for _ in 0..20 {
        assert_eq!(honest(&world).await.status, 200);
    }
    assert!(rest(&mut first[0]).await.is_empty(), "the oldest gave way");
}

#[tokio::test]
async fn half_bodies_lock_nobody_out() {
    let world = World::with(Limits { bodies: 4, ..FEW }).await;
    let half = format!(
        "POST /v1/tasks HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
        world.address
    );
    for _ in 0..4 {
        let mut slow = many(&world, 4, half.as_bytes()).await;
        let ready = world.task().json();
        let posted = timeout(AT_ONCE, world.post("/v1/tasks", &ready)).await;
        assert_eq!(posted.expect("it is taken at once").status, 202);
        begins(&mut slow[0], "503").await;
    }
    let _more_than_there_is_room_for = many(&world, 2 * FEW.connections, half.as_bytes()).await;
    assert_eq!(honest(&world).await.status, 200);
}

#[tokio::test]
async fn who_takes_no_answers_locks_nobody_out() {
    let world = World::with(FEW).await;
    let one = format!(
        "GET /v1/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n",
        world.address
    );
    let greedy = many(&world, 2 * FEW.connections, one.repeat(300).as_bytes()).await;
    for _ in 0..4 {
        assert_eq!(honest(&world).await.status, 200);
    }
    drop(greedy);
}

#[tokio::test]
async fn connection_that_was_idle_for_longest_gives_way() {
    let world = World::with(Limits {
        connections: 3,
        ..FEW
    })
    .await;
    let asked = format!("GET /v1/health HTTP/1.1\r\nHost: {}\r\n\r\n", world.address);
    let mut first = sent(world.address, asked.as_bytes()).await;
    until(&mut first, "}").await;
    let mut second = sent(world.address, asked.as_bytes()).await;
    until(&mut second, "}").await;
    first.write_all(asked.as_bytes()).await.unwrap();
    until(&mut first, "}").await;
    let mut third = sent(world.address, HALF).await;
    assert_eq!(honest(&world).await.status, 200);
    assert!(
        rest(&mut second).await.is_empty(),
        "it was idle for longest"
    );
    for kept in [&mut first, &mut third] {
        kept.write_all(b"\r\n").await.unwrap();
    }
    begins(&mut third, "421").await;
    first.write_all(asked.as_bytes()).await.unwrap();
    until(&mut first, "}").await;
}

#[tokio::test]
async fn what_is_being_answered_keeps_its_place() {
    let world = World::with(Limits {
        connections: 4,
        answer: AT_ONCE * 2,
        ..FEW
    })
    .await;
    let task = world.submitted();
    let mut stream = sent(
        world.address,
        &request(&world, &format!("/v1/tasks/{task}/events")),
    )
    .await;
    until(&mut stream, "task.submitted").await;
    world.stream().silent = true;
    let ready = world.task().json();
    let post = format!(
        "POST /v1/tasks HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ready}",
        world.address,
        ready.len()
    );
    let mut posted = sent(world.address, post.as_bytes()).await;
    let _flood = many(&world, 20, HALF).await;
    assert_eq!(honest(&world).await.status, 200);
    world.append(said::admitted(task));
    until(&mut stream, "task.admitted").await;
    begins(&mut posted, "504").await;
}

#[tokio::test]
async fn long_answer_keeps_its_place_while_it_is_taken() {
    let world = World::with(FEW).await;
    let mut slow = long_answer(&world).await;
    let _flood = many(&world, 2 * FEW.connections, HALF).await;
    assert_eq!(honest(&world).await.status, 200);
    let mut taken = 0;
    let mut some = vec![0; 64 << 10];
    while taken < LONG {
        let read = timeout(SOON, slow.read(&mut some)).await.unwrap().unwrap();
        assert!(read > 0, "it was cut off after {taken} bytes");
        taken += read;
    }
}

#[tokio::test]
async fn nobody_is_kept_for_ever() {
    let limits = Limits {
        connections: 1,
        ..FEW
    };
    let patient = World::with(limits).await;
    let first = long_answer(&patient).await;
    let second = patient.get("/v1/tasks");
    tokio::pin!(second);
    let waited = timeout(SHORT, second.as_mut()).await;
    assert!(waited.is_err(), "there is room for one");
    drop(first);
    assert_eq!(timeout(SOON, second).await.unwrap().status, 200);
    let world = World::with(Limits {
        kept: SHORT,
        ..limits
    })
    .await;
    let mut first = long_answer(&world).await;
    assert_eq!(honest(&world).await.status, 200);
    assert!(rest(&mut first).await.len() < LONG, "its time was over");
}

/// The size of a long response.
const LONG: usize = 4 << 20;

/// A connection with a long response that has begun and is not read.
async fn long_answer(world: &World) -> TcpStream {
    let sealed = Sealed::new(Salt::new([9; 32]), &vec![7; LONG]).unwrap();
    let content = sealed.content();
    let key = (AuthorId::Worker, *content.digest());
    let stored = sealed.stored().to_vec();
    world.stream().log.contents.insert(key, stored);
    let path = format!("/v1/contents/worker/{}/{LONG}", content.digest());
    let mut socket = sent(world.address, &request(world, &path)).await;
    begins(&mut socket, "200").await;
    socket
}

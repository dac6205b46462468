//! Tests of the edge: only the sidecar connects, every request names its sender, and the sender alone grants nothing.

use std::net::{IpAddr, Ipv4Addr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

use crate::world::{NAME, World};

const SIDECAR: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The headers that the sidecar sends for a user's device.
const PROTO: &str = "X-Forwarded-Proto: https";
const DEVICE: &str = "X-Forwarded-For: 100.64.0.2";
const LOGIN: &str = "Tailscale-User-Login: alice@example.com";

/// The status and the problem, if it is one, of a read with these headers.
async fn asked(world: &World, headers: &[&str]) -> (u16, String) {
    let (host, access) = (format!("Host: {NAME}"), world.access());
    let headers: Vec<_> = [host.as_str(), access.as_str()]
        .into_iter()
        .chain(headers.iter().copied())
        .collect();
    let answer = world.ask("GET /v1/tasks", &headers, "").await;
    let problem = match answer.status {
        200 => String::new(),
        _ => answer.problem(),
    };
    (answer.status, problem)
}

#[tokio::test]
async fn only_whom_the_sidecar_names_is_answered() {
    let world = World::edge(SIDECAR).await;
    let whole = [PROTO, DEVICE, LOGIN];
    let with = |more: &[&'static str]| -> Vec<&str> { [&whole[..], more].concat() };
    let without = |less: &str, more: &[&'static str]| -> Vec<&str> {
        let kept = whole.into_iter().filter(|header| *header != less);
        kept.chain(more.iter().copied()).collect()
    };
    let taken = [
        with(&[]),
        with(&[
            "Tailscale-User-Name: Alice",
            "Tailscale-User-Profile-Pic: x",
        ]),
        // A name that is not plain is accepted, because it is not read.
        with(&["Tailscale-User-Name: =?utf-8?q?J=C3=B6rg?="]),
        with(&["Tailscale-Headers-Info: https://tailscale.com/s/serve-headers"]),
        without(LOGIN, &["tailscale-USER-login: alice@github"]),
        with(&["Origin: https://gateway.example.ts.net"]),
    ];
    for headers in taken {
        assert_eq!(
            asked(&world, &headers).await,
            (200, String::new()),
            "{headers:?}"
        );
    }
    let unidentified = [
        // Devices with tags have no user.
        without(LOGIN, &[]),
        with(&[LOGIN]),
        with(&["Tailscale-User-Login: mallory@example.com"]),
        without(LOGIN, &["Tailscale-User-Login:"]),
        without(LOGIN, &["Tailscale-User-Login: =?utf-8?q?alice?="]),
        without(LOGIN, &["Tailscale-User-Login: alice bob"]),
        without(LOGIN, &["Tailscale-User-Login: j\u{f6}rg@example.com"]),
        without(LOGIN, &["Tailscale_User_Login: alice@example.com"]),
        with(&["Tailscale_User_Login: mallory@example.com"]),
        with(&["Tailscale-User_Login: mallory@example.com"]),
        with(&["X-Tailscale-User-Login: mallory@example.com"]),
        with(&["Tailscale-User-Role: admin"]),
        with(&["Tailscale-App-Capabilities: {}"]),
        with(&["Tailscale-User-Name: Alice", "Tailscale-User-Name: Bob"]),
        without(DEVICE, &[]),
        with(&[DEVICE]),
        without(DEVICE, &["X-Forwarded-For: 100.64.0.2, 10.0.0.1"]),
        without(DEVICE, &["X-Forwarded-For: laptop"]),
        without(PROTO, &[]),
        with(&[PROTO]),
        without(PROTO, &["X-Forwarded-Proto: http"]),
    ];
    for headers in unidentified {
        let refused = (403, "unidentified".to_owned());
        assert_eq!(asked(&world, &headers).await, refused, "{headers:?}");
    }
    let long = format!("Tailscale-User-Login: {}@a", "a".repeat(253));
    assert_eq!(asked(&world, &[PROTO, DEVICE, &long]).await.0, 403);
    let public = asked(&world, &with(&["Tailscale-Funnel-Request: ?1"])).await;
    assert_eq!(public, (403, "public".to_owned()));
}

#[tokio::test]
async fn identity_alone_opens_nothing() {
    let world = World::edge(SIDECAR).await;
    let host = format!("Host: {NAME}");
    let headers = [host.as_str(), PROTO, DEVICE, LOGIN];
    let seq = world.stream().log.seq;
    let read = world.ask("GET /v1/tasks", &headers, "").await;
    assert_eq!((read.status, read.problem().as_str()), (401, "no-access"));
    let ready = world.task();
    let other = world.task();
    // A statement with another's signature, from a user whom the sidecar names.
    let forged = ready.json().replace(
        &crate::world::base64(&ready.signed)[..],
        &crate::world::base64(&other.signed)[..],
    );
    let headers = [&headers[..], &["Content-Type: application/json"]].concat();
    let posted = world.ask("POST /v1/tasks", &headers, &forged).await;
    assert_eq!(posted.status, 400, "{posted:?}");
    assert_eq!(world.stream().log.seq, seq, "something was appended");
    let posted = world.ask("POST /v1/tasks", &headers, &ready.json()).await;
    assert_eq!(posted.status, 202, "{posted:?}");
}

#[tokio::test]
async fn edge_knows_only_its_names_and_pages_over_https() {
    let world = World::edge(SIDECAR).await;
    let whole = [PROTO, DEVICE, LOGIN];
    let address = format!("Host: {}", world.address);
    let headers = [&[address.as_str()], &whole[..]].concat();
    let answer = world.ask("GET /v1/health", &headers, "").await;
    assert_eq!(answer.status, 421, "{answer:?}");
    let plain = format!("Origin: http://{NAME}");
    let headers = [&whole[..], &[plain.as_str()]].concat();
    let refused = (403, "foreign-origin".to_owned());
    assert_eq!(asked(&world, &headers).await, refused);
}

#[tokio::test]
async fn whoever_is_not_the_sidecar_gets_no_answer() {
    let sidecar: IpAddr = "127.0.0.2".parse().unwrap();
    let world = World::edge(sidecar).await;
    let request = format!(
        "GET /v1/tasks HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n{PROTO}\r\n{DEVICE}\r\n{LOGIN}\r\n{}\r\n\r\n",
        world.access()
    );
    let from = async |ip: IpAddr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((ip, 0).into()).unwrap();
        let mut stream = socket.connect(world.address).await.unwrap();
        // The gateway may have closed it already.
        drop(stream.write_all(request.as_bytes()).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    };
    for stranger in ["127.0.0.1", "127.0.0.3"] {
        assert_eq!(from(stranger.parse().unwrap()).await, "", "{stranger}");
    }
    assert!(from(sidecar).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn nobody_claims_an_identity_on_the_loopback() {
    let world = World::start().await;
    assert_eq!(asked(&world, &[]).await, (200, String::new()));
    for header in [
        LOGIN,
        "Tailscale_User_Login: alice@example.com",
        "Tailscale-User-Name: Alice",
        "Tailscale-App-Capabilities: {}",
    ] {
        let refused = (403, "unidentified".to_owned());
        assert_eq!(asked(&world, &[header]).await, refused, "{header}");
    }
}

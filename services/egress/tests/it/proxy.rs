//! Tests the proxy of the configuration: what it is asked, what it sees, and each way in which it does not connect.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use contract::Reach;
use egress::{Fault, NoTunnel, Proxy, ProxyConfig, ProxyError};
use serde_json::json;

use crate::frames::answering;
use crate::proxy_server::{Manner, ProxyServer};
use crate::secrets::{call, credential};
use crate::world::{Authority, End, HELLO, HOST, World};

const CREDENTIALS: &str = "me:canary";
/// `me:canary`
const BASIC: &str = "proxy-authorization: Basic bWU6Y2FuYXJ5";

fn config(url: &str) -> ProxyConfig {
    ProxyConfig {
        url: url.to_owned(),
        networks: vec!["127.0.0.0/8".to_owned()],
        credentials_file: None,
        resolves: false,
    }
}

fn read(config: &ProxyConfig) -> Proxy {
    Proxy::read(config, Path::new("/")).unwrap()
}

/// A proxy on a port of this machine.
fn here(port: u16) -> Proxy {
    read(&config(&format!("http://127.0.0.1:{port}")))
}

/// A world behind a proxy that connects to its host, after it said this often that it cannot.
async fn connected(refused: usize) -> (World, ProxyServer) {
    let mut world = World::new(HELLO, End::Close).await;
    let server = ProxyServer::new(Manner::Connects(world.port, refused), None).await;
    world.behind(here(server.port));
    (world, server)
}

#[tokio::test]
async fn a_proxy_gets_a_checked_address_and_tls_and_nothing_else() {
    let (world, server) = connected(0).await;
    let secret = credential(&[world.endpoint()], "header:x-key");
    let mut entry = world.entry();
    entry["secret"] = json!("crm");
    let sent = call(&world, &entry, &secret).await;
    assert_eq!(sent.output.unwrap(), br#"{"text":"hello"}"#);
    assert!(world.request().contains("canary"));
    let target = format!("127.0.0.1:{}", world.port);
    let head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    assert_eq!(server.asked(), [head]);
    let through = server.through.lock().unwrap().clone();
    // A record of a handshake; of the request, the name in it alone is readable.
    assert_eq!(through[0], 0x16);
    let text = String::from_utf8_lossy(&through).into_owned();
    assert!(text.contains(HOST));
    for hidden in ["canary", "GET", "items", "x-key"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn each_address_is_checked_before_a_proxy_hears_of_it() {
    let (world, server) = connected(0).await;
    let reach = Reach::read(&[world.endpoint()], &[]);
    for bound in [&["127.0.0.1"][..], &["93.184.216.34", "169.254.169.254"]] {
        world.bind(bound);
        let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
        assert!(matches!(sent.output, Err(Fault::Address { .. })));
        assert!(!sent.begun);
    }
    let other = Reach::read(&["other.example.com".to_owned()], &[]);
    let sent = world.call_with(&world.entry(), &json!({}), &other).await;
    assert!(matches!(sent.output, Err(Fault::Host(_))));
    assert_eq!(server.asked().len(), 0);
    assert_eq!(world.count(), 0);
}

#[tokio::test]
async fn a_proxy_that_resolves_gets_the_name_and_no_check_holds() {
    let mut world = World::new(HELLO, End::Close).await;
    let server = ProxyServer::new(Manner::Connects(world.port, 0), None).await;
    let mut config = config(&format!("http://127.0.0.1:{}", server.port));
    config.resolves = true;
    world.behind(read(&config));
    // No name server knows it, and the contract opens no network.
    world.names.lock().unwrap().clear();
    let reach = Reach::read(&[world.endpoint()], &[]);
    let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
    assert_eq!(sent.output.unwrap(), br#"{"text":"hello"}"#);
    let target = world.endpoint();
    let head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    assert_eq!(server.asked(), [head]);
    // The contract still says which hosts there are.
    let other = Reach::read(&["other.example.com".to_owned()], &[]);
    let sent = world.call_with(&world.entry(), &json!({}), &other).await;
    assert!(matches!(sent.output, Err(Fault::Host(_))));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn the_host_proves_its_name_behind_a_proxy_as_well() {
    let authority = Authority::new();
    let other = World::with(&authority, "other.example.com", HELLO, End::Close).await;
    let mut world = World::with(&authority, HOST, HELLO, End::Close).await;
    // A proxy that lies connects to another host.
    let server = ProxyServer::new(Manner::Connects(other.port, 0), None).await;
    world.behind(here(server.port));
    let fault = world.fault().await;
    assert!(matches!(fault, Fault::Tls { .. }), "{fault}");
    assert_eq!((world.count(), other.count()), (0, 0));
}

#[tokio::test]
async fn another_address_of_the_host_is_tried_if_the_proxy_cannot_reach_one() {
    let (world, server) = connected(1).await;
    world.bind(&["127.0.0.1", "127.0.0.2"]);
    let sent = world.get().await;
    assert_eq!(sent.output.unwrap(), br#"{"text":"hello"}"#);
    let asked = server.asked();
    assert!(asked[0].starts_with("CONNECT 127.0.0.1:"), "{asked:?}");
    assert!(asked[1].starts_with("CONNECT 127.0.0.2:"), "{asked:?}");
    assert_eq!((asked.len(), world.count()), (2, 1));
    // None of them.
    let (world, server) = connected(2).await;
    world.bind(&["127.0.0.1", "127.0.0.2"]);
    let sent = world.get().await;
    let why = tunnel(sent.output.unwrap_err());
    assert!(matches!(why, NoTunnel::Gateway { code: 502, .. }), "{why}");
    assert!(!sent.begun);
    assert_eq!((server.asked().len(), world.count()), (2, 0));
}

fn tunnel(fault: Fault) -> NoTunnel {
    let text = fault.to_string();
    let Fault::Proxy { why, .. } = fault else {
        panic!("{text}");
    };
    why
}

/// An answer of a proxy, and the reason that it leads to.
type NoTunnelCase = (Vec<u8>, fn(&NoTunnel) -> bool);

#[tokio::test]
async fn a_proxy_that_does_not_connect_has_one_sentence() {
    let many: String = (0..100_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100_000));
    let says = |text: &str| text.as_bytes().to_vec();
    let cases: [NoTunnelCase; 12] = [
        (
            says("HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\ncanary"),
            |why| matches!(why, NoTunnel::Forbidden(_)),
        ),
        (
            says("HTTP/1.1 407 canary\r\nproxy-authenticate: Basic\r\n\r\n"),
            |why| matches!(why, NoTunnel::Credentials),
        ),
        (says("HTTP/1.1 504 Late\r\n\r\n"), |why| {
            matches!(why, NoTunnel::Gateway { code: 504, .. })
        }),
        (
            says("HTTP/1.1 302 Found\r\nlocation: http://evil.example/\r\n\r\n"),
            |why| matches!(why, NoTunnel::Code(302)),
        ),
        (says("HTTP/1.1 200 OK\r\n\r\nhello"), |why| {
            matches!(why, NoTunnel::Early)
        }),
        (says(""), |why| matches!(why, NoTunnel::Protocol(_))),
        (says("\x16\x03\x01canary"), |why| {
            matches!(why, NoTunnel::Protocol(_))
        }),
        (says("SSH-2.0-canary\r\n"), |why| {
            matches!(why, NoTunnel::Protocol(_))
        }),
        (says("HTTP/1.1 200 OK\r\nx: canary"), |why| {
            matches!(why, NoTunnel::Protocol(_))
        }),
        (says(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")), |why| {
            matches!(why, NoTunnel::Protocol(_))
        }),
        (says(&format!("{long}\r\n\r\n")), |why| {
            matches!(why, NoTunnel::Protocol(_))
        }),
        (says("HTTP/1.1 101 Other\r\n\r\n"), |why| {
            matches!(why, NoTunnel::Code(101) | NoTunnel::Protocol(_))
        }),
    ];
    for (answer, fits) in cases {
        let begin = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
        let mut world = World::new(HELLO, End::Close).await;
        let server = ProxyServer::new(Manner::Says(answer), None).await;
        world.behind(here(server.port));
        let sent = world.get().await;
        assert!(!sent.begun, "{begin}");
        let fault = sent.output.unwrap_err();
        let text = fault.to_string();
        assert!(text.starts_with("nothing was sent, because the proxy 127.0.0.1:"));
        assert!(!text.contains("canary"), "{text}");
        let why = tunnel(fault);
        assert!(fits(&why), "{begin}: {why:?}");
        assert_eq!((server.asked().len(), world.count()), (1, 0), "{begin}");
    }
}

#[tokio::test]
async fn a_proxy_without_an_answer_or_an_end_is_left_in_time() {
    for manner in [
        Manner::Hangs,
        Manner::Repeats(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)),
    ] {
        let mut world = World::new(HELLO, End::Close).await;
        let server = ProxyServer::new(manner, None).await;
        world.behind(here(server.port));
        let wall = Duration::from_millis(500);
        let (entry, reach) = (world.entry(), world.reach());
        let sent = world.call_within(&entry, &json!({}), &reach, wall).await;
        let fault = sent.output.unwrap_err();
        assert!(matches!(fault, Fault::Late { ms: 500, .. }), "{fault}");
        assert!(!sent.begun);
    }
    let mut world = World::new(HELLO, End::Close).await;
    let lines = Manner::Repeats(b"x".repeat(4096));
    let server = ProxyServer::new(lines, None).await;
    world.behind(here(server.port));
    let why = tunnel(world.fault().await);
    assert!(matches!(why, NoTunnel::Protocol(_)), "{why}");
}

#[tokio::test]
async fn a_proxy_is_reached_only_in_the_networks_of_its_configuration() {
    let (mut world, server) = connected(0).await;
    let mut config = config(&format!("http://proxy.example:{}", server.port));
    world.behind(read(&config));
    let why = tunnel(world.fault().await);
    assert!(matches!(why, NoTunnel::Resolve(_)), "{why}");
    world.name("proxy.example", &["127.0.0.1"]);
    world.get().await.output.unwrap();
    // The networks of the contract open nothing for it.
    config.networks.clear();
    world.behind(read(&config));
    let why = tunnel(world.fault().await);
    assert!(matches!(why, NoTunnel::Address { .. }), "{why}");
    assert_eq!((server.asked().len(), world.count()), (1, 1));
}

#[tokio::test]
async fn a_proxy_that_is_gone_is_named() {
    let (mut world, server) = connected(0).await;
    world.sender().probe().await.unwrap();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    world.behind(here(port));
    let sent = world.get().await;
    assert!(!sent.begun);
    let why = tunnel(sent.output.unwrap_err());
    assert!(matches!(why, NoTunnel::Connect(_)), "{why}");
    let said = world.sender().probe().await.unwrap_err();
    let begin = format!("the proxy 127.0.0.1:{port} cannot be used: it does not answer");
    assert!(said.starts_with(&begin), "{said}");
    assert_eq!((server.asked().len(), world.count()), (0, 0));
}

#[tokio::test]
async fn a_proxy_with_tls_proves_its_name() {
    let authority = Authority::new();
    let mut world = World::with(&authority, HOST, HELLO, End::Close).await;
    world.name("proxy.example", &["127.0.0.1"]);
    for (name, is_right) in [("proxy.example", true), ("other.example", false)] {
        // It would speak HTTP/2 if it were asked to.
        let acceptor = authority.acceptor(name, &["h2", "http/1.1"]);
        let server = ProxyServer::new(Manner::Connects(world.port, 0), Some(acceptor)).await;
        world.behind(read(&config(&format!(
            "https://proxy.example:{}",
            server.port
        ))));
        let output = world.get().await.output;
        if is_right {
            assert_eq!(output.unwrap(), br#"{"text":"hello"}"#);
        } else {
            let why = tunnel(output.unwrap_err());
            assert!(matches!(why, NoTunnel::Tls(_)), "{why}");
        }
        assert_eq!(server.asked().len(), usize::from(is_right));
    }
    assert_eq!(world.count(), 1);
}

#[tokio::test]
async fn credentials_go_to_the_proxy_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.credentials");
    fs::write(&file, format!("{CREDENTIALS}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (mut world, server) = connected(0).await;
    let mut config = config(&format!("http://127.0.0.1:{}", server.port));
    config.credentials_file = Some("proxy.credentials".into());
    let proxy = Proxy::read(&config, folder.path()).unwrap();
    let shown = format!("{proxy} {proxy:?}");
    assert!(
        !shown.contains("canary") && !shown.contains("bWU6"),
        "{shown}"
    );
    world.behind(proxy);
    world.get().await.output.unwrap();
    let asked = server.asked();
    assert!(asked[0].lines().any(|line| line == BASIC), "{asked:?}");
    assert!(!world.request().contains("proxy-authorization"));
    // What others can read is none, and neither is another form.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = || Proxy::read(&config, folder.path()).unwrap_err();
    assert!(matches!(refused(), ProxyError::File(_)));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for odd in [
        "",
        "canary",
        ":canary",
        "me:can ary",
        "me:canary\r\nx: y",
        "me:\u{7f}",
    ] {
        fs::write(&file, odd).unwrap();
        let why = refused();
        assert!(matches!(why, ProxyError::Credentials(_)), "{odd:?}: {why}");
        assert!(!why.to_string().contains("canary"), "{why}");
    }
    fs::remove_file(&file).unwrap();
    assert!(matches!(refused(), ProxyError::File(_)));
}

#[test]
fn the_place_of_a_proxy_has_one_spelling() {
    for (url, place) in [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("https://proxy.example", "proxy.example"),
        ("https://proxy.example:8443", "proxy.example:8443"),
        ("http://10.0.0.7:3128", "10.0.0.7:3128"),
        ("http://[fd00::7]:3128", "[fd00::7]:3128"),
    ] {
        assert_eq!(read(&config(url)).to_string(), place);
    }
    for url in [
        "",
        "proxy.example:3128",
        "socks5://proxy.example:1080",
        "HTTP://proxy.example:3128",
        "http://",
        "http://proxy.example",
        "http://proxy.example:",
        "http://proxy.example:0",
        "http://proxy.example:03128",
        "http://proxy.example:65536",
        "http://proxy.example:3128/",
        "http://proxy.example:3128/?q",
        "http://proxy.example:3128#f",
        "http://Proxy.example:3128",
        "http://proxy.example.:3128",
        "http://127.1:3128",
        "http://2130706433:3128",
        "http://0x7f.1:3128",
        "http://10.0.0.7",
        "http://10.0.0.7:0",
        "http://[fd00::07]:3128",
        "http://[fd00::7%1]:3128",
        "http://pr\u{f6}xy.example:3128",
        "http://proxy.example :3128",
    ] {
        let read = Proxy::read(&config(url), Path::new("/"));
        assert!(read.is_err(), "{url}");
    }
    for url in [
        "http://me:canary@proxy.example:3128",
        "canary@proxy.example",
    ] {
        let why = Proxy::read(&config(url), Path::new("/")).unwrap_err();
        assert!(matches!(why, ProxyError::User), "{why}");
        assert!(!why.to_string().contains("canary"));
    }
    let mut config = config("http://proxy.example:3128");
    config.networks = vec!["10.0.0.7".to_owned()];
    let why = Proxy::read(&config, Path::new("/")).unwrap_err();
    assert!(matches!(why, ProxyError::Network(..)), "{why}");
}

#[tokio::test]
async fn http_2_leads_through_a_proxy_as_well() {
    let hello = || hyper::Response::new(http_body_util::BodyExt::boxed("hello".to_owned()));
    let mut world = answering(&["h2"], hello).await;
    let server = ProxyServer::new(Manner::Connects(world.port, 0), None).await;
    world.behind(here(server.port));
    assert_eq!(world.get().await.output.unwrap(), br#"{"text":"hello"}"#);
    assert!(world.request().contains("HTTP/2.0"));
    assert_eq!(server.asked().len(), 1);
}

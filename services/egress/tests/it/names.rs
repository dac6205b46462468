//! Tests that a host has one name: in the handshake, in the request, to a proxy, and in a redirect.

use std::path::Path;

use contract::Reach;
use egress::{Fault, Proxy, ProxyConfig};
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::frames::answering;
use crate::proxy_server::{Manner, ProxyServer};
use crate::world::{Authority, End, HELLO, HOST, World, answer};

#[tokio::test]
async fn each_place_of_a_request_has_the_same_name() {
    for version in ["h2", "http/1.1"] {
        let hello = || hyper::Response::new("hello".to_owned().boxed());
        let mut world = answering(&[version], hello).await;
        let server = ProxyServer::new(Manner::Connects(world.port, 0), None).await;
        let endpoint = world.endpoint();
        for resolves in [None, Some(false), Some(true)] {
            if let Some(resolves) = resolves {
                let config = ProxyConfig {
                    url: format!("http://127.0.0.1:{}", server.port),
                    networks: vec!["127.0.0.0/8".to_owned()],
                    credentials_file: None,
                    resolves,
                };
                world.behind(Proxy::read(&config, Path::new("/")).unwrap());
            }
            world.get().await.output.unwrap();
            let request = world.request();
            let lines: Vec<&str> = request.lines().collect();
            assert!(
                lines.contains(&&*format!("(handshake): {HOST}")),
                "{request}"
            );
            if version == "h2" {
                let line = format!("GET https://{endpoint}/v2/items HTTP/2.0");
                assert_eq!(lines[0], line);
                assert!(!request.contains("host: "), "{request}");
            } else {
                // Never in the absolute form, which proxies read.
                assert_eq!(lines[0], "GET /v2/items HTTP/1.1");
                assert!(lines.contains(&&*format!("host: {endpoint}")), "{request}");
            }
        }
        let target = format!("127.0.0.1:{}", world.port);
        let heads = [target, endpoint]
            .map(|target| format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n"));
        assert_eq!(server.asked(), heads);
    }
}

#[tokio::test]
async fn a_redirect_to_another_spelling_of_a_host_is_not_followed() {
    let authority = Authority::new();
    let here = World::with(&authority, HOST, HELLO, End::Close).await;
    let port = here.port;
    let follow = async |to: &str| {
        let moved = answer("302 Found", &format!("location: {to}\r\n"), "");
        let world = World::with(&authority, HOST, moved, End::Close).await;
        let mut entry = world.entry();
        entry["redirects"] = json!(1);
        let hosts = [world.endpoint(), here.endpoint()];
        let reach = Reach::read(&hosts, &["127.0.0.0/8".to_owned()]);
        let sent = world.call_with(&entry, &json!({}), &reach).await;
        assert_eq!(world.count(), 1, "{to}");
        sent.output
    };
    for (n, to) in [
        format!("https://{HOST}:{port}./v2/items"),
        format!("https://{HOST}.:{port}/v2/items"),
        format!("https://{HOST}..:{port}/v2/items"),
        format!("https://API.example.com:{port}/v2/items"),
        format!("HTTPS://{HOST}:{port}/v2/items"),
        format!("https://{HOST}:0{port}/v2/items"),
        format!("https://{HOST}:{port}:{port}/v2/items"),
        format!("https://api%2eexample.com:{port}/v2/items"),
        format!("https://%61pi.example.com:{port}/v2/items"),
        format!("https://{HOST}%00.evil.example:{port}/v2/items"),
        format!("https://{HOST}%40evil.example:{port}/v2/items"),
        format!("https://\u{ff41}\u{ff50}\u{ff49}.example.com:{port}/v2/items"),
        format!("https://api\u{3002}example\u{3002}com:{port}/v2/items"),
        format!("https://\u{430}pi.example.com:{port}/v2/items"),
        format!("https://xn--pi-7kc.example.com:{port}/v2/items"),
        format!("https://[{HOST}]:{port}/v2/items"),
        format!("https://user@{HOST}:{port}/v2/items"),
        format!("https://user:@{HOST}:{port}/v2/items"),
        format!("https://@{HOST}:{port}/v2/items"),
        format!("https://{HOST}:{port}@evil.example/v2/items"),
        format!("https://evil.example#@{HOST}:{port}/v2/items"),
        format!("https://evil.example?@{HOST}:{port}/v2/items"),
        format!("https://evil.example\\@{HOST}:{port}/v2/items"),
        format!("https://{HOST}\t:{port}/v2/items"),
        format!("http://{HOST}:{port}/v2/items"),
        format!("https:{HOST}:{port}/v2/items"),
        format!("https:/{HOST}:{port}/v2/items"),
        format!("https:///{HOST}:{port}/v2/items"),
        format!("https:\\\\{HOST}:{port}\\v2\\items"),
        format!("//{HOST}:{port}/v2/items"),
        format!("https://{HOST}:{port}/v2/../items"),
        format!("https://{HOST}:{port}/v2/%2e%2e/items"),
        format!("https://{HOST}:{port}//v2/items"),
        format!("https://{HOST}:{port}/v2/items#f"),
    ]
    .iter()
    .enumerate()
    {
        let output = follow(to).await;
        let is_refused = matches!(output, Err(Fault::Redirect { .. } | Fault::Protocol(..)));
        assert!(is_refused, "{n}: {to}: {output:?}");
        assert_eq!(here.count(), 0, "{to}");
    }
    // The one spelling is followed.
    let output = follow(&format!("https://{HOST}:{port}/v2/items")).await;
    assert_eq!(output.unwrap(), br#"{"text":"hello"}"#);
    assert_eq!(here.count(), 1);
}

#[test]
fn no_tool_has_another_method() {
    for method in ["TRACE", "OPTIONS", "CONNECT", "get", "PRI", ""] {
        assert!(method.parse::<contract::Method>().is_err(), "{method}");
    }
}

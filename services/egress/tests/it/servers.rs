//! Tests servers that misbehave: each call ends with one sentence, and nothing is sent again.

use std::time::Duration;

use egress::{Fault, Phase};
use serde_json::json;

use crate::world::{End, World, gzip};

fn with_body(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Returns the sentence about a server that answers these bytes and closes.
async fn fault(answer: impl Into<Vec<u8>>) -> String {
    let world = World::new(answer, End::Close).await;
    let fault = world.fault().await;
    assert_eq!(world.count(), 1, "{fault}");
    fault.to_string()
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_fault() {
    for answer in [
        "",
        "hello\r\n",
        "HTTP/0.9 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    ] {
        let said = fault(answer).await;
        assert!(
            said.contains("broke the connection off"),
            "{answer:?}: {said}"
        );
    }
    let many: String = (0..100_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let said = fault(format!("HTTP/1.1 200 OK\r\n{many}\r\n")).await;
    assert!(said.contains("broke the connection off"), "{said}");
}

#[tokio::test]
async fn an_answer_with_two_lengths_is_a_fault() {
    let said = fault(
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )
    .await;
    assert!(
        said.contains("both a length and a transfer encoding"),
        "{said}"
    );
}

#[tokio::test]
async fn a_body_is_bounded_as_sent_and_as_decoded() {
    let large = vec![b'x'; 100_001];
    let said = fault(with_body("", &large)).await;
    assert!(said.contains("more than 100000 bytes"), "{said}");
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let said = fault(with_body("content-encoding: gzip\r\n", &bomb)).await;
    assert!(said.contains("more than 100000 bytes"), "{said}");
    let fits = World::new(
        with_body("content-encoding: gzip\r\n", &gzip(b"hello")),
        End::Close,
    );
    let output = fits.await.get().await.output.unwrap();
    assert_eq!(output, br#"{"text":"hello"}"#);
}

#[tokio::test]
async fn an_encoding_is_what_it_says() {
    let said = fault(with_body("content-encoding: gzip\r\n", b"hello")).await;
    assert!(said.contains("not encoded as it says"), "{said}");
    let mut torn = gzip(b"hello");
    torn.truncate(torn.len() - 3);
    let said = fault(with_body("content-encoding: gzip\r\n", &torn)).await;
    assert!(said.contains("not encoded as it says"), "{said}");
    let said = fault(with_body("content-encoding: br\r\n", b"hello")).await;
    assert!(said.contains("encoded as \"br\""), "{said}");
    // A host may repeat the secret there, in another spelling.
    let said = fault(with_body("content-encoding: Canary\r\n", b"hello")).await;
    assert!(said.contains("encoded as something else"), "{said}");
}

#[tokio::test]
async fn a_code_that_is_no_success_is_named_with_the_answer() {
    let said = fault("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nno\n\x07").await;
    let text = "the host answered with the code 404, and its answer begins with \"no\\n\\u{7}\"";
    assert_eq!(said, text);
    // 204 with a body: the body is not part of the answer.
    let said = fault("HTTP/1.1 204 No Content\r\n\r\nhello").await;
    assert_eq!(said, "the host answered with the code 204");
}

#[tokio::test]
async fn a_content_of_another_type_is_a_fault() {
    let said = fault(with_body("", b"\xff\xfe")).await;
    assert!(said.contains("no UTF-8"), "{said}");
    for body in ["hello", "{\"a\": 1, \"a\": 2}", "", "[1"] {
        let world = World::new(with_body("", body.as_bytes()), End::Close).await;
        let mut entry = world.entry();
        entry["answer"] = json!({"type": "json"});
        let sent = world.call_with(&entry, &json!({}), &world.reach()).await;
        let said = sent.output.unwrap_err().to_string();
        assert!(said.contains("no strict JSON"), "{body:?}: {said}");
    }
}

#[tokio::test]
async fn all_that_a_server_sends_is_bounded() {
    let hello = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let early = |count| "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count);
    let few = World::new(early(10) + hello, End::Close).await;
    assert_eq!(few.get().await.output.unwrap(), br#"{"text":"hello"}"#);
    // 1 MiB, and 16 times the bytes that the tool allows.
    let said = fault(early(100_000) + hello).await;
    assert!(said.contains("more bytes than an answer"), "{said}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe",
    ] {
        let world = World::new(answer, End::Hang).await;
        let wall = Duration::from_millis(300);
        let (entry, reach) = (world.entry(), world.reach());
        let sent = world.call_within(&entry, &json!({}), &reach, wall).await;
        // The request had been sent, or the limit passed before it.
        let fault = sent.output.unwrap_err();
        let is_late = matches!(
            fault,
            Fault::Late {
                phase: Phase::Whole,
                ms: 300
            }
        );
        assert!(is_late, "{fault}");
    }
}

#[tokio::test]
async fn a_port_without_a_server_is_a_fault_before_anything_is_sent() {
    let world = World::new("", End::Close).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut entry = world.entry();
    let host = format!("api.example.com:{port}");
    entry["host"] = json!(host);
    let reach = contract::Reach::read(&[host], &["127.0.0.0/8".to_owned()]);
    let sent = world.call_with(&entry, &json!({}), &reach).await;
    assert!(matches!(sent.output, Err(Fault::Connect(..))));
    assert!(!sent.begun);
}

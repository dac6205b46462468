//! Tests HTTP/2: the same requests, bounds and ends as HTTP/1.1, and the truth about a request that was not answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bus_schema::Digest;
use bytes::Bytes;
use egress::Fault;
use futures::StreamExt as _;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use serde_json::{Value, json};

use crate::frames::{
    After, Body, CONTINUATION, DATA, EARLY_HINTS, END_HEADERS, END_STREAM, Framed, HEADERS, OK,
    PING, PUSH_PROMISE, SETTINGS, WINDOW_UPDATE, answering, frame, goaway, header, of, reset,
};
use crate::secrets::{VALUE, call, credential};
use crate::world::{Sent, World, gzip};

/// Codes of errors (RFC 9113, 7).
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;
const HTTP_1_1_REQUIRED: u32 = 13;

fn full(text: &str) -> Body {
    Full::from(text.to_owned()).boxed()
}

fn hello() -> Response<Body> {
    Response::new(full("hello"))
}

/// Changes something at the host.
async fn post(world: &World) -> Sent {
    let mut entry = world.entry();
    entry["method"] = json!("POST");
    entry["body"] = json!({"text": {"$value": "text"}});
    let args = json!({"text": "a note"});
    world.call_with(&entry, &args, &world.reach()).await
}

/// Answers with the headers of the code 200.
fn headers() -> Vec<u8> {
    of(HEADERS, END_HEADERS, OK)
}

#[tokio::test]
async fn the_host_chooses_the_version_and_the_request_is_the_same() {
    for (versions, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["h2"], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        let world = answering(versions, hello).await;
        let sent = world.get().await;
        assert_eq!(sent.output.unwrap(), br#"{"text":"hello"}"#);
        let sent = post(&world).await;
        assert_eq!(sent.output.unwrap(), br#"{"text":"hello"}"#);
        assert_eq!(sent.body, Some(Digest::of(&[br#"{"text":"a note"}"#])));
        let requests = world.requests.lock().unwrap().clone();
        let [get, post] = requests.as_slice() else {
            panic!("{requests:?}");
        };
        let host = world.endpoint();
        let (target, named) = match version {
            "HTTP/2.0" => (format!("https://{host}/v2/items"), false),
            _ => ("/v2/items".to_owned(), true),
        };
        for (request, method) in [(get, "GET"), (post, "POST")] {
            let lines: Vec<&str> = request.lines().collect();
            assert_eq!(lines[0], format!("{method} {target} {version}"));
            assert_eq!(
                lines.contains(&&*format!("host: {host}")),
                named,
                "{request}"
            );
            assert!(lines.contains(&"accept-encoding: identity"), "{request}");
            for other in [
                "connection",
                "transfer-encoding",
                "keep-alive",
                "upgrade",
                "te:",
            ] {
                assert!(
                    !lines.iter().any(|line| line.starts_with(other)),
                    "{request}"
                );
            }
        }
        assert!(post.ends_with("\n\n{\"text\":\"a note\"}"), "{post}");
    }
}

#[tokio::test]
async fn a_secret_stands_in_its_header_and_comes_back_in_no_answer() {
    let echo = || Response::builder().header("x-key", VALUE).body(full(VALUE));
    let world = answering(&["h2"], move || echo().unwrap()).await;
    for inject in ["header:x-api-key", "query:key"] {
        let secret = credential(&[world.endpoint()], inject);
        let mut entry = world.entry();
        entry["secret"] = json!("crm");
        let sent = call(&world, &entry, &secret).await;
        assert_eq!(sent.output.unwrap(), br#"{"text":"[secret crm]"}"#);
        assert!(world.request().contains("canary"), "{}", world.request());
    }
    // The text of a frame is no part of an error.
    let answer = goaway(1, INTERNAL_ERROR, VALUE.as_bytes());
    let framed = Framed::new([answer, reset(CANCEL)].concat(), After::Hang).await;
    let fault = post(&framed.world).await.output.unwrap_err().to_string();
    assert!(!fault.contains("canary"), "{fault}");
}

#[tokio::test]
async fn a_request_that_the_host_refused_was_certainly_not_handled() {
    for (answer, said) in [
        (reset(REFUSED_STREAM), "RST_STREAM"),
        (goaway(0, NO_ERROR, b""), "GOAWAY"),
        (goaway(0, ENHANCE_YOUR_CALM, b"later"), "GOAWAY"),
    ] {
        for after in [After::Hang, After::Close] {
            let framed = Framed::new(answer.clone(), after).await;
            let sent = post(&framed.world).await;
            let fault = sent.output.unwrap_err();
            assert!(matches!(fault, Fault::Unhandled(..)), "{fault}");
            assert!(fault.is_certain() && sent.begun);
            assert!(fault.to_string().contains(said), "{fault}");
            // Nothing is sent again.
            assert_eq!(framed.world.count(), 1);
        }
    }
}

#[tokio::test]
async fn a_request_that_the_host_may_have_handled_is_uncertain() {
    let open = |answer: Vec<u8>| [headers(), answer].concat();
    let hello = of(DATA, 0, b"hello");
    for (answer, after) in [
        (Vec::new(), After::Close),
        (goaway(1, NO_ERROR, b""), After::Close),
        (goaway(1, INTERNAL_ERROR, b""), After::Close),
        (reset(NO_ERROR), After::Hang),
        (reset(INTERNAL_ERROR), After::Hang),
        (reset(CANCEL), After::Hang),
        (reset(HTTP_1_1_REQUIRED), After::Hang),
        // Both say the opposite of the headers before them.
        (open(reset(REFUSED_STREAM)), After::Hang),
        (open(goaway(0, NO_ERROR, b"")), After::Hang),
        // Cut off: by the end of the connection, and by resets.
        (open(hello.clone()), After::Close),
        (open([hello.clone(), reset(NO_ERROR)].concat()), After::Hang),
        (open([hello, reset(CANCEL)].concat()), After::Hang),
    ] {
        let framed = Framed::new(answer.clone(), after).await;
        let sent = post(&framed.world).await;
        let fault = sent.output.unwrap_err();
        assert!(matches!(fault, Fault::Protocol(..)), "{answer:x?}: {fault}");
        assert!(!fault.is_certain() && sent.begun, "{answer:x?}");
        assert_eq!(framed.world.count(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_answers_it() {
    let answer = [
        goaway(1, NO_ERROR, b""),
        headers(),
        of(DATA, END_STREAM, b"hello"),
    ];
    let framed = Framed::new(answer.concat(), After::Hang).await;
    let sent = post(&framed.world).await;
    assert_eq!(sent.output.unwrap(), br#"{"text":"hello"}"#);
}

/// The fault of a host that answers with these frames.
async fn fault(answer: Vec<u8>) -> Fault {
    let framed = Framed::new(answer, After::Hang).await;
    let fault = framed.world.fault().await;
    assert_eq!(framed.world.count(), 1);
    fault
}

#[tokio::test]
async fn an_answer_against_the_rules_is_a_fault() {
    let with = |name: &str, value: &str| {
        let block = [OK, &header(name, value)].concat();
        of(HEADERS, END_HEADERS, &block)
    };
    let many: Vec<u8> = (0..101)
        .flat_map(|n| header(&format!("x-{n}"), "y"))
        .collect();
    let large = header("x", &"y".repeat(16_000));
    let mut parts = vec![of(HEADERS, 0, OK)];
    parts.extend((0..5).map(|_| of(CONTINUATION, 0, &large)));
    parts.push(of(CONTINUATION, END_HEADERS, b""));
    let five = of(DATA, END_STREAM, b"hello");
    for answer in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec(),
        of(DATA, END_STREAM, b"hello"),
        with("connection", "close"),
        with("transfer-encoding", "chunked"),
        with("Upper", "case"),
        [with("content-length", "9"), five.clone()].concat(),
        [with("content-length", "4"), five].concat(),
        of(HEADERS, END_HEADERS, b"\xff\xff\xff\xff\xff"),
        // More than 100 headers, and more than 64 KiB of them.
        of(HEADERS, END_HEADERS, &[OK, &many].concat()),
        parts.concat(),
        // A push, which was not asked for.
        of(PUSH_PROMISE, END_HEADERS, &[&[0, 0, 0, 2], OK].concat()),
        // A frame of more than 16 KiB, and a window beyond its size.
        of(DATA, END_STREAM, &[0; 20_000]),
        frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
    ] {
        let begin = answer[..answer.len().min(40)].to_vec();
        let fault = fault(answer).await;
        assert!(matches!(fault, Fault::Protocol(..)), "{begin:x?}: {fault}");
    }
}

#[tokio::test]
async fn a_body_is_bounded_as_it_is_over_the_older_version() {
    let data = of(DATA, 0, &[b'x'; 10_000]);
    let answer = [headers(), data.repeat(11)].concat();
    assert!(matches!(fault(answer).await, Fault::Large(100_000)));
    // Without an end, and without a look at how much may be sent.
    let framed = Framed::new(headers(), After::Again(data)).await;
    let fault_of = framed.world.fault().await;
    let is_bounded = matches!(fault_of, Fault::Large(_) | Fault::Protocol(..));
    assert!(is_bounded, "{fault_of}");
    let zeros = gzip(&vec![0; 64 << 20]);
    let zeros: Vec<u8> = zeros
        .chunks(10_000)
        .flat_map(|part| of(DATA, 0, part))
        .collect();
    let block = [OK, &header("content-encoding", "gzip")].concat();
    let answer = [of(HEADERS, END_HEADERS, &block), zeros].concat();
    let fault_of = fault(answer).await;
    assert!(matches!(fault_of, Fault::Large(100_000)), "{fault_of}");
}

#[tokio::test]
async fn a_host_that_sends_frames_without_an_end_is_left_in_time() {
    let padded = [&[OK][..], &[&header("x-a", "b")]].concat().concat();
    for (answer, again) in [
        (Vec::new(), frame(PING, 0, 0, &[0; 8])),
        (Vec::new(), frame(SETTINGS, 0, 0, b"")),
        (Vec::new(), frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        (Vec::new(), of(HEADERS, END_HEADERS, EARLY_HINTS)),
        // Of a kind that nobody knows.
        (Vec::new(), frame(0xfa, 0, 0, &[0; 100])),
        (of(HEADERS, 0, OK), of(CONTINUATION, 0, b"")),
        (of(HEADERS, 0, OK), of(CONTINUATION, 0, &padded[1..])),
        (Vec::new(), reset(CANCEL)),
        (headers(), of(DATA, 0, b"")),
        (headers(), frame(PING, 0, 0, &[0; 8])),
    ] {
        let kind = again[3];
        let again = again.repeat(100);
        let framed = Framed::new(answer, After::Again(again)).await;
        let world = &framed.world;
        let wall = Duration::from_secs(2);
        let sent = world
            .call_within(&world.entry(), &json!({}), &world.reach(), wall)
            .await;
        let fault = sent.output.unwrap_err();
        let is_left = matches!(fault, Fault::Protocol(..) | Fault::Late { .. });
        assert!(is_left, "{kind}: {fault}");
        // What was read, and what the kernel held.
        let bytes = framed.sent.load(Ordering::Relaxed);
        assert!(bytes < 32 << 20, "{kind}: {bytes}");
        assert_eq!(world.count(), 1);
    }
}

#[tokio::test]
async fn a_host_that_says_nothing_more_is_left_in_time() {
    for answer in [
        Vec::new(),
        headers(),
        [headers(), of(DATA, 0, b"h")].concat(),
    ] {
        let framed = Framed::new(answer, After::Hang).await;
        let world = &framed.world;
        let wall = Duration::from_millis(300);
        let sent = world
            .call_within(&world.entry(), &json!({}), &world.reach(), wall)
            .await;
        let fault = sent.output.unwrap_err();
        assert!(matches!(fault, Fault::Late { ms: 300, .. }), "{fault}");
    }
}

#[tokio::test]
async fn a_stream_of_events_comes_in_pieces_while_it_arrives() {
    let (more, waiting) = futures::channel::mpsc::unbounded::<Bytes>();
    let waiting = std::sync::Arc::new(std::sync::Mutex::new(Some(waiting)));
    let answer = move || {
        let parts = waiting.lock().unwrap().take().unwrap();
        let parts = StreamBody::new(parts.map(|part| Ok(Frame::data(part))));
        let kind = ("content-type", "text/event-stream");
        let answer = Response::builder().header(kind.0, kind.1);
        answer.body(BodyExt::boxed(parts)).unwrap()
    };
    let world = answering(&["h2"], answer).await;
    let mut entry = world.entry();
    entry["answer"] = json!({"type": "events"});
    let (sent, read) = world
        .shown(&entry, async |mut pieces| {
            let mut read = Vec::new();
            for event in ["one", "two"] {
                let text = format!("data: {event}\n\n");
                more.unbounded_send(text.into()).unwrap();
                // The next one is sent after this one was shown.
                read.push(pieces.recv().await.unwrap());
            }
            drop(more);
            read
        })
        .await;
    assert_eq!(read, [(0, "one".to_owned()), (1, "two".to_owned())]);
    let whole: Value = serde_json::from_slice(&sent.unwrap()).unwrap();
    assert_eq!(whole, json!({"events": [{"data": "one"}, {"data": "two"}]}));
}

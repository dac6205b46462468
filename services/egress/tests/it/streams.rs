//! Tests answers that are shown as they arrive: in pieces, scrubbed, bounded, and whole at the end.

use bus_schema::PIECE_BYTES_MAX;
use egress::Fault;
use serde_json::{Value, json};

use crate::secrets::{VALUE, call, credential};
use crate::world::{End, Sent, World, chunked, gzip};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n";

fn entry(world: &World) -> Value {
    let mut entry = world.entry();
    entry["answer"] = json!({"type": "events", "tokens": ["/start/in", "/out"]});
    entry
}

async fn called(answer: Vec<u8>) -> Sent {
    let world = World::new(answer, End::Close).await;
    world
        .call_with(&entry(&world), &json!({}), &world.reach())
        .await
}

fn said(sent: &Sent) -> Value {
    serde_json::from_slice(sent.output.as_ref().unwrap()).unwrap()
}

fn fault(sent: Sent) -> String {
    sent.output.unwrap_err().to_string()
}

#[tokio::test]
async fn a_stream_comes_in_pieces_and_as_a_whole() {
    let stream = "\u{feff}: a comment\nevent: begin\ndata: {\"start\":{\"in\":5}}\n\ndata: {\"out\":1}\r\n\r\n\
        data: one\rdata:two\r\rid: 7\nretry: 1\n\ndata: {\"out\":7}\n\ndata: never ended";
    let wanted = json!({"events": [
        {"event": "begin", "data": "{\"start\":{\"in\":5}}"}, {"data": "{\"out\":1}"}, {"data": "one\ntwo"},
        {"data": "{\"out\":7}"},
    ]});
    let pieces = [
        "{\"start\":{\"in\":5}}",
        "{\"out\":1}",
        "one\ntwo",
        "{\"out\":7}",
    ];
    let pieces: Vec<_> = (0..).zip(pieces.map(str::to_owned)).collect();
    // Wherever it is cut, also within a character and a line end.
    for size in [1, 2, 7, stream.len()] {
        let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        let sent = called(chunked(HEAD, &chunks)).await;
        assert_eq!(said(&sent), wanted, "{size}");
        assert_eq!(sent.pieces, pieces, "{size}");
        assert_eq!(sent.tokens, Some(12), "{size}");
    }
    let head = format!("{HEAD}content-encoding: gzip\r\n");
    let sent = called(chunked(&head, &[&gzip(stream.as_bytes())])).await;
    assert_eq!((said(&sent), sent.pieces), (wanted, pieces));
}

#[tokio::test]
async fn a_secret_is_taken_out_before_a_piece_leaves() {
    let stream = format!(
        "data: so {VALUE} it is\n\ndata: {}\n\n",
        VALUE.replace('"', "\\\"")
    );
    for size in [1, 3, 8, stream.len()] {
        let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        let world = World::new(chunked(HEAD, &chunks), End::Close).await;
        let credential = credential(&[world.endpoint()], "header:x-api-key");
        let mut entry = entry(&world);
        entry["secret"] = json!("crm");
        let sent = call(&world, &entry, &credential).await;
        let texts = ["so [secret crm] it is", "[secret crm]"].map(str::to_owned);
        let pieces: Vec<_> = (0..).zip(texts).collect();
        assert_eq!(sent.pieces, pieces, "{size}");
        let whole = String::from_utf8(sent.output.unwrap()).unwrap();
        assert!(!whole.contains("canary"), "{whole}");
        assert_eq!(credential.hits(), 2);
    }
}

#[tokio::test]
async fn nothing_of_a_secret_that_was_cut_off_stands_before_an_error() {
    let (begin, _) = VALUE.split_at(VALUE.len() - 3);
    let mut answer = chunked(HEAD, &[format!("data: {begin}").as_bytes()]);
    answer.truncate(answer.len() - 5);
    let world = World::new(answer, End::Close).await;
    let credential = credential(&[world.endpoint()], "header:x-api-key");
    let mut entry = entry(&world);
    entry["secret"] = json!("crm");
    let sent = call(&world, &entry, &credential).await;
    assert!(matches!(sent.output, Err(Fault::Protocol(..))));
    assert_eq!(sent.pieces, []);
    assert_eq!(credential.scrub_text("an error"), "an error");
}

#[tokio::test]
async fn a_text_comes_in_pieces_of_whole_characters() {
    let text = "\u{20ac}\u{1f600}a".repeat(PIECE_BYTES_MAX);
    let chunks: Vec<&[u8]> = text.as_bytes().chunks(1021).collect();
    let answer = chunked("HTTP/1.1 200 OK\r\n", &chunks);
    let world = World::new(answer, End::Close).await;
    let sent = world.get().await;
    let shown: String = sent.pieces.iter().map(|(_, text)| text.as_str()).collect();
    assert!(!shown.is_empty() && text.starts_with(&shown));
    assert!(
        sent.pieces
            .iter()
            .all(|(_, text)| text.len() <= PIECE_BYTES_MAX)
    );
    assert_eq!(said(&sent), json!({"text": text}));
}

#[tokio::test]
async fn too_long_an_event_leaves_a_gap() {
    let stream = format!(
        "data: a\n\ndata: {}\n\ndata: b\n\n",
        "x".repeat(PIECE_BYTES_MAX + 1)
    );
    let sent = called(chunked(HEAD, &[stream.as_bytes()])).await;
    assert_eq!(sent.pieces, [(0, "a".to_owned()), (2, "b".to_owned())]);
    assert_eq!(said(&sent)["events"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_a_fault() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let other = called(chunked(head, &[b"{}"])).await;
    assert_eq!(other.pieces, []);
    let text = "the answer is of the type \"application/json\", and no stream of events (text/event-stream)";
    assert_eq!(fault(other), text);
    let empty = called(chunked(HEAD, &[b": nothing\n\n"])).await;
    assert_eq!(fault(empty), "the answer is a stream without events");
    let odd = called(chunked(HEAD, &[b"data: \xff\n\n"])).await;
    assert_eq!(fault(odd), "the answer is no UTF-8");
    let large = called(chunked(HEAD, &[&[b'x'; 100_001]])).await;
    assert!(matches!(large.output, Err(Fault::Large(100_000))));
    // An error of the host is no stream, and nothing of it is shown before.
    let refused = HEAD.replace("200 OK", "429 No");
    let refused = called(chunked(&refused, &[b"data: x\n\n"])).await;
    assert_eq!(refused.pieces, []);
    assert!(matches!(refused.output, Err(Fault::Code { code: 429, .. })));
}

#[tokio::test]
async fn what_was_used_is_priced() {
    let prices = json!({"currency": "USD", "per_million": [
        {"at": "/start/in", "price": "3.00"}, {"at": "/out", "price": "15"},
        {"at": "/start/kept", "price": "0.30", "within": "/start/in", "optional": true},
    ]});
    for (start, out, cost) in [
        (json!({"in": 1_000_000}), json!(100_000), Some("USD 4.50")),
        (
            json!({"in": 1_000_000, "kept": 1_000_000}),
            json!(0),
            Some("USD 0.30"),
        ),
        // Less than the smallest unit is one.
        (json!({"in": 1}), json!(0), Some("USD 0.01")),
        (json!({"in": 0}), json!(0), Some("USD 0.00")),
        // What cannot be counted settles at the reservation.
        (json!({"in": 5, "kept": 6}), json!(0), None),
        (json!({}), json!(5), None),
        (json!({"in": 5}), json!("5"), None),
    ] {
        let stream = format!("data: {}\n\n", json!({"start": start, "out": out}));
        let world = World::new(chunked(HEAD, &[stream.as_bytes()]), End::Close).await;
        let mut entry = entry(&world);
        entry["answer"]["prices"] = prices.clone();
        let sent = world.call_with(&entry, &json!({}), &world.reach()).await;
        let spend = sent.spend.map(|spend| spend.to_string());
        assert_eq!(spend.as_deref(), cost, "{stream}");
    }
}

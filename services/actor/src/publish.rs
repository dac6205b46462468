//! Publishing with compare-and-set: an event is stored only right after the message that it was decided on.

use async_nats::{
    HeaderMap,
    header::{
        NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
        NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM,
    },
    jetstream::{self, context::PublishErrorKind, message::PublishMessage},
};
use bus_schema::{AUDIT, HEADER_SCHEMA, HEADER_SIGNATURE, SignedEvent};

use crate::error::chain;

/// Header: the trace that an event belongs to (W3C Trace Context).
const HEADER_TRACE: &str = "traceparent";

/// The outcome of a publish with compare-and-set.
#[derive(Debug)]
pub(crate) enum Published {
    /// Stored: the last of its events is at this place, the others are right before it.
    At(u64),
    /// Another event was first: the subtree's last message, if the server named it.
    Conflict(Option<u64>),
    /// Outcome unknown: it may be stored.
    Unknown(String),
    /// The server refuses to store it.
    Refused(String),
}

/// An event, and the last message of the subtree, which it must follow.
pub(crate) struct Placed {
    pub(crate) event: SignedEvent,
    pub(crate) subtree: String,
    pub(crate) expected: u64,
}

impl Placed {
    /// Places events of one chain, all after the same message.
    pub(crate) fn all(events: &[SignedEvent], subtree: &str, expected: u64) -> Vec<Self> {
        let placed = |event: &SignedEvent| Self {
            event: event.clone(),
            subtree: subtree.to_owned(),
            expected,
        };
        events.iter().map(placed).collect()
    }
}

/// Publishes events: all of them, one right after the other, or none.
pub(crate) async fn publish(jetstream: &jetstream::Context, events: &[Placed]) -> Published {
    let Some((last, others)) = events.split_last() else {
        return Published::Refused("there is nothing to publish".to_owned());
    };
    if others.is_empty() {
        return stored(jetstream, last, headers(last)).await;
    }
    let batch = last.event.id.to_string();
    let client = jetstream.client();
    for (at, placed) in others.iter().enumerate() {
        let mut headers = headers(placed);
        place(&mut headers, &batch, at, events.len());
        let body = placed.event.body.clone().into();
        let subject = placed.event.subject.clone();
        let sent = client.publish_with_headers(subject, headers, body);
        if let Err(error) = sent.await {
            return Published::Unknown(chain(&error));
        }
    }
    let mut headers = headers(last);
    place(&mut headers, &batch, others.len(), events.len());
    stored(jetstream, last, headers).await
}

/// Makes a message number `at` of the `len` messages of an atomic batch; the last one commits it.
pub(crate) fn place(headers: &mut HeaderMap, batch: &str, at: usize, len: usize) {
    headers.insert(NATS_BATCH_ID, batch);
    headers.insert(NATS_BATCH_SEQUENCE, (at + 1).to_string());
    if at + 1 == len {
        headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
    }
}

fn headers(placed: &Placed) -> HeaderMap {
    let event = &placed.event;
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_SIGNATURE, event.signature.to_string());
    headers.insert(HEADER_SCHEMA, event.schema.as_str());
    headers.insert(HEADER_TRACE, crate::telemetry::traceparent(event));
    headers.insert(NATS_EXPECTED_STREAM, AUDIT);
    // The server compares each with the state before the batch; once stored, none can be stored again.
    let expected = placed.expected.to_string();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected);
    let subtree = placed.subtree.as_str();
    headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", subtree);
    headers
}

async fn stored(jetstream: &jetstream::Context, placed: &Placed, headers: HeaderMap) -> Published {
    let event = &placed.event;
    let message = PublishMessage::build()
        .payload(event.body.clone().into())
        .headers(headers);
    let acked = match jetstream.send_publish(event.subject.clone(), message).await {
        Ok(ack) => ack.await,
        Err(error) => Err(error),
    };
    match acked {
        Ok(ack) => Published::At(ack.sequence),
        Err(error) => {
            let reason = chain(&error);
            match error.kind() {
                PublishErrorKind::WrongLastSequence => {
                    let last = reason.rsplit("sequence: ").next().unwrap_or_default();
                    let digits: String = last.chars().take_while(char::is_ascii_digit).collect();
                    Published::Conflict(digits.parse().ok())
                }
                PublishErrorKind::TimedOut
                | PublishErrorKind::BrokenPipe
                | PublishErrorKind::StreamNotFound
                | PublishErrorKind::MaxAckPending => Published::Unknown(reason),
                PublishErrorKind::WrongLastMessageId
                | PublishErrorKind::MaxPayloadExceeded
                | PublishErrorKind::Other => Published::Refused(reason),
            }
        }
    }
}

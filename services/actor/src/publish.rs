//! Publishing with compare-and-set: an event is stored behind exactly the message it was decided after.

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

/// What became of a publish with compare-and-set.
#[derive(Debug)]
pub(crate) enum Published {
    /// Stored; the last of its events at this place, those before it right before.
    At(u64),
    /// Somebody was first: the subtree's last message, if the server said which.
    Conflict(Option<u64>),
    /// Nobody knows; it may be stored.
    Unknown(String),
    /// The server will not store it.
    Refused(String),
}

/// Publishes events that may only follow the message at `expected` in `subtree`: all of them, one right after the
/// other, or none.
pub(crate) async fn publish(
    jetstream: &jetstream::Context,
    events: &[SignedEvent],
    subtree: &str,
    expected: u64,
) -> Published {
    let Some((last, others)) = events.split_last() else {
        return Published::Refused("there is nothing to publish".to_owned());
    };
    let after = |headers: HeaderMap| {
        let mut headers = headers;
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", subtree);
        headers
    };
    if others.is_empty() {
        return stored(jetstream, last, after(headers(last))).await;
    }
    let batch = last.id.to_string();
    let place = |mut headers: HeaderMap, at: usize| {
        headers.insert(NATS_BATCH_ID, batch.as_str());
        headers.insert(NATS_BATCH_SEQUENCE, (at + 1).to_string());
        headers
    };
    let client = jetstream.client();
    for (at, event) in others.iter().enumerate() {
        // The server compares each with what was there before the batch; stored with it, none can be stored again.
        let headers = place(after(headers(event)), at);
        let body = event.body.clone().into();
        let subject = event.subject.clone();
        let sent = client.publish_with_headers(subject, headers, body);
        if let Err(error) = sent.await {
            return Published::Unknown(chain(&error));
        }
    }
    let mut headers = place(after(headers(last)), others.len());
    headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
    stored(jetstream, last, headers).await
}

fn headers(event: &SignedEvent) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_SIGNATURE, event.signature.to_string());
    headers.insert(HEADER_SCHEMA, event.schema.as_str());
    headers.insert(HEADER_TRACE, crate::telemetry::traceparent(event));
    headers.insert(NATS_EXPECTED_STREAM, AUDIT);
    headers
}

async fn stored(
    jetstream: &jetstream::Context,
    event: &SignedEvent,
    headers: HeaderMap,
) -> Published {
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

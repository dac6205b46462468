//! Publishing with compare-and-set: an event is stored behind exactly the message it was decided after.

use async_nats::jetstream::{self, context::PublishErrorKind, message::PublishMessage};
use bus_schema::{AUDIT, HEADER_SCHEMA, HEADER_SIGNATURE};

use crate::error::chain;

/// Header: the trace that an event belongs to (W3C Trace Context).
const HEADER_TRACE: &str = "traceparent";

/// What became of one publish with compare-and-set.
#[derive(Debug)]
pub(crate) enum Published {
    /// Stored at this place.
    At(u64),
    /// Somebody was first: the subtree's last message, if the server said which.
    Conflict(Option<u64>),
    /// Nobody knows; it may be stored.
    Unknown(String),
    /// The server will not store it.
    Refused(String),
}

/// Publishes an event that may only follow the message at `expected` in `subtree`.
pub(crate) async fn publish(
    jetstream: &jetstream::Context,
    event: &bus_schema::SignedEvent,
    subtree: &str,
    expected: u64,
) -> Published {
    let message = PublishMessage::build()
        .payload(event.body.clone().into())
        .header(HEADER_SIGNATURE, event.signature.to_string())
        .header(HEADER_SCHEMA, event.schema.as_str())
        .header(HEADER_TRACE, crate::telemetry::traceparent(event))
        .header("Nats-Expected-Stream", AUDIT)
        .header("Nats-Expected-Last-Subject-Sequence", expected.to_string())
        .header("Nats-Expected-Last-Subject-Sequence-Subject", subtree);
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

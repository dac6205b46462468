//! Storage of the contents of many drafts, in one batch if possible.

use async_nats::{HeaderMap, jetstream::message::PublishMessage};
use bus_schema::{Author, CHUNK_BYTES_MAX, Sealed};
use futures::future::try_join_all;

use crate::{Bus, Error, error::chain, publish::place};

/// Number of chains from which on their events are stored as one batch: the server syncs once for all of them, but
/// makes and removes files of its own for a batch.
pub(crate) const TOGETHER: usize = 15;
/// Most bytes of contents that are stored together: for larger ones, the sync is the smallest cost.
const BYTES_MAX: usize = 256 << 10;
// Each content of a batch is one message.
const _: () = assert!(BYTES_MAX <= CHUNK_BYTES_MAX);

/// Stores contents: as one batch if they are many and small, else in parallel.
pub(crate) async fn put_all<A: Author>(bus: &Bus<A>, contents: &[Sealed]) -> Result<(), Error> {
    let bytes: usize = contents.iter().map(|each| each.stored().len()).sum();
    if contents.len() >= TOGETHER && bytes <= BYTES_MAX {
        match put_together(bus, contents).await {
            Ok(()) => return Ok(()),
            // One of them may be stored already; storing it again alone is no error.
            Err(reason) => tracing::debug!(reason, "contents are stored one by one"),
        }
    }
    let each = contents.iter().map(|content| bus.put(content));
    try_join_all(each).await.map(drop)
}

/// Stores contents of one chunk each as one batch: all of them, or none.
async fn put_together<A: Author>(bus: &Bus<A>, contents: &[Sealed]) -> Result<(), String> {
    let batch = bus.clock().uuid().to_string();
    let jetstream = bus.jetstream();
    for (n, content) in contents.iter().enumerate() {
        let mut headers = HeaderMap::new();
        place(&mut headers, &batch, n, contents.len());
        let subject = content.content().subject(A::ID, 0);
        let body = content.stored().to_vec().into();
        if n + 1 < contents.len() {
            let sent = bus.client().publish_with_headers(subject, headers, body);
            sent.await.map_err(|error| chain(&error))?;
            continue;
        }
        let message = PublishMessage::build().payload(body).headers(headers);
        let sent = jetstream.send_publish(subject, message).await;
        let acked = sent.map_err(|error| chain(&error))?.await;
        acked.map_err(|error| chain(&error))?;
    }
    Ok(())
}

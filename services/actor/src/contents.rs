//! Contents of many drafts, stored together.

use async_nats::{HeaderMap, jetstream::message::PublishMessage};
use bus_schema::{Author, CHUNK_BYTES_MAX, Sealed};
use futures::future::try_join_all;

use crate::{Bus, Error, error::chain, publish::place};

/// From how many chains on their events are stored together: the server syncs once for all of them, and makes and
/// removes files of its own for that.
pub(crate) const TOGETHER: usize = 15;
/// Most bytes of contents that are stored together: of larger ones, a sync is the least.
const BYTES_MAX: usize = 256 << 10;
// Each content of a batch is one message.
const _: () = assert!(BYTES_MAX <= CHUNK_BYTES_MAX);

/// Stores contents: together if they are many and small, else side by side.
pub(crate) async fn put_all<A: Author>(bus: &Bus<A>, contents: &[Sealed]) -> Result<(), Error> {
    let bytes: usize = contents.iter().map(|each| each.stored().len()).sum();
    if contents.len() >= TOGETHER && bytes <= BYTES_MAX {
        match put_together(bus, contents).await {
            Ok(()) => return Ok(()),
            // One of them may be there already; storing that again alone is not an error.
            Err(reason) => tracing::debug!(reason, "contents are stored one by one"),
        }
    }
    let each = contents.iter().map(|content| bus.put(content));
    try_join_all(each).await.map(drop)
}

/// Stores contents of one chunk each: all of them, or none.
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

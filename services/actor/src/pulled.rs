//! Messages that a service pulls and acknowledges, for the streams in which it is the only reader.

use std::time::Duration;

use async_nats::jetstream::{
    Message,
    consumer::{PullConsumer, pull::Stream},
};
use bus_schema::{Author, Time, stream::PULL_SECONDS};
use futures::StreamExt as _;

use crate::{Bus, Error, error::chain};

/// The time that a pull waits for its first message.
const WAITS: Duration = Duration::from_secs(PULL_SECONDS as u64);
/// The time without a sign of the server after which a pull has failed.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The messages of a service's own consumer, oldest first.
pub(crate) struct Pulled {
    messages: Stream,
    what: &'static str,
}

/// Makes the error of an operation on the bus.
pub(crate) fn failed(what: &'static str) -> impl Fn(String) -> Error {
    move |reason| Error::Bus { what, reason }
}

impl Pulled {
    /// Opens the consumer of `A` in a stream; `what` is the operation in errors, such as "to read the timers".
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer, or has no such consumer.
    pub(crate) async fn open<A: Author>(
        bus: &Bus<A>,
        (stream, at_once): (&str, usize),
        what: &'static str,
    ) -> Result<Self, Error> {
        let failed = failed(what);
        let found = bus
            .jetstream()
            .get_consumer_from_stream(A::ID.name(), stream);
        let consumer: PullConsumer = found.await.map_err(|error| failed(chain(&error)))?;
        let pulled = consumer
            .stream()
            .max_messages_per_batch(at_once)
            .expires(WAITS)
            .heartbeat(HEARTBEAT);
        let messages = pulled.messages().await;
        let messages = messages.map_err(|error| failed(chain(&error)))?;
        Ok(Self { messages, what })
    }

    /// Returns the next message.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer any more; then it has to be opened again.
    pub(crate) async fn next(&mut self) -> Result<Message, Error> {
        let failed = failed(self.what);
        let message = self.messages.next().await;
        let message = message.ok_or_else(|| failed("the pull has ended".to_owned()))?;
        message.map_err(|error| failed(chain(&error)))
    }
}

/// The place of a message in its stream, and the time at which the server stored it; none if the message is no stored
/// one.
pub(crate) fn stored(message: &Message) -> Option<(u64, Time)> {
    let info = message.info().ok()?;
    let ns = i64::try_from(info.published.unix_timestamp_nanos()).ok()?;
    Some((info.stream_sequence, Time::from_ns(ns)))
}

/// Acknowledges a message: it does not come again.
pub(crate) async fn acknowledge(message: Message, what: &'static str) {
    if let Err(error) = message.ack().await {
        tracing::debug!(error = %error, "{what} is not acknowledged; it comes again");
    }
}

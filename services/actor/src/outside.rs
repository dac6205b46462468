//! The messages from outside that may start jobs: whatever they say, nobody signed them.

use std::{fmt, time::Duration};

use async_nats::jetstream::{
    Message,
    consumer::{PullConsumer, pull::Stream},
};
use bus_schema::{Author as _, Scheduler, TRIGGERS, Time, stream::PULL_SECONDS};
use futures::StreamExt as _;

use crate::{Bus, Error, bus::header, error::chain};

/// Most messages of one pull.
const AT_ONCE: usize = 64;
/// The time that a pull waits for its first message.
const WAITS: Duration = Duration::from_secs(PULL_SECONDS as u64);

/// The messages from outside, oldest first.
pub struct OutsideMessages(Stream);

/// A message from outside.
#[derive(Debug)]
pub struct OutsideMessage {
    /// Source and name, such as `cli.build`.
    pub subject: String,
    /// The id that its sender gave it.
    pub id: Option<String>,
    /// Its place in the stream.
    pub seq: u64,
    /// The time at which the server stored it.
    pub stored: Time,
    message: Message,
}

impl fmt::Debug for OutsideMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutsideMessages").finish_non_exhaustive()
    }
}

fn failed(reason: String) -> Error {
    Error::Bus {
        what: "to read the messages from outside",
        reason,
    }
}

impl Bus<Scheduler> {
    /// Starts to read the messages from outside that were not acknowledged.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer, or has no such consumer.
    pub async fn outside_messages(&self) -> Result<OutsideMessages, Error> {
        let found = self
            .jetstream()
            .get_consumer_from_stream(Scheduler::ID.name(), TRIGGERS);
        let consumer: PullConsumer = found.await.map_err(|error| failed(chain(&error)))?;
        let pulled = consumer
            .stream()
            .max_messages_per_batch(AT_ONCE)
            .expires(WAITS)
            .heartbeat(Duration::from_secs(2));
        let messages = pulled.messages().await;
        Ok(OutsideMessages(
            messages.map_err(|error| failed(chain(&error)))?,
        ))
    }
}

impl OutsideMessages {
    /// Returns the next message.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer any more; then it has to be opened again.
    pub async fn next(&mut self) -> Result<OutsideMessage, Error> {
        let message = self.0.next().await;
        let message = message.ok_or_else(|| failed("the pull has ended".to_owned()))?;
        let message = message.map_err(|error| failed(chain(&error)))?;
        let info = message.info().map_err(|error| failed(error.to_string()))?;
        let stored = i64::try_from(info.published.unix_timestamp_nanos()).unwrap_or(0);
        let id = header(message.headers.as_ref(), "Nats-Msg-Id");
        let subject = message.subject.strip_prefix("trigger.").unwrap_or_default();
        Ok(OutsideMessage {
            subject: subject.to_owned(),
            id: id.map(str::to_owned),
            seq: info.stream_sequence,
            stored: Time::from_ns(stored),
            message,
        })
    }
}

impl OutsideMessage {
    /// Its bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.message.payload
    }

    /// Acknowledges it: it does not come again.
    pub async fn done(self) {
        if let Err(error) = self.message.ack().await {
            tracing::debug!(error = %error, "a message is not acknowledged; it comes again");
        }
    }
}

//! The messages from outside that may start jobs: whatever they say, no identity of the bus signed them.

use std::fmt;

use async_nats::jetstream::{Message, message::PublishMessage};
use bus_schema::{Gateway, JobName, Scheduler, TRIGGERS, Time, stream::hook};

use crate::{
    Bus, Error,
    bus::header,
    error::chain,
    pulled::{Pulled, acknowledge, failed, stored},
};

/// The operation in errors.
const READ: &str = "to read the messages from outside";
/// Most messages of one pull.
const AT_ONCE: usize = 64;

/// The messages from outside, oldest first.
pub struct OutsideMessages(Pulled);

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

impl Bus<Scheduler> {
    /// Starts to read the messages from outside that were not acknowledged.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer, or has no such consumer.
    pub async fn outside_messages(&self) -> Result<OutsideMessages, Error> {
        let pulled = Pulled::open(self, (TRIGGERS, AT_ONCE), READ);
        Ok(OutsideMessages(pulled.await?))
    }
}

impl Bus<Gateway> {
    /// Hands in the message of a webhook, and returns its place in the stream. Within two minutes a second message with this id
    /// is the first one.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server refuses it or does not answer.
    pub async fn hand_in(&self, name: &JobName, id: &str, body: Vec<u8>) -> Result<u64, Error> {
        let failed = failed("to hand a message in");
        let subject = hook(name);
        // The id is the subject's own: two webhooks may get the same message.
        let message = PublishMessage::build()
            .message_id(format!("{subject} {id}"))
            .payload(body.into());
        let sent = self.jetstream().send_publish(subject, message).await;
        let stored = sent.map_err(|error| failed(chain(&error)))?;
        let stored = stored.await.map_err(|error| failed(chain(&error)))?;
        Ok(stored.sequence)
    }
}

impl OutsideMessages {
    /// Returns the next message.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer any more; then it has to be opened again.
    pub async fn next(&mut self) -> Result<OutsideMessage, Error> {
        let message = self.0.next().await?;
        let not_stored = || failed(READ)("a message of no stream".to_owned());
        let (seq, stored) = stored(&message).ok_or_else(not_stored)?;
        let id = header(message.headers.as_ref(), "Nats-Msg-Id");
        let subject = message.subject.strip_prefix("trigger.").unwrap_or_default();
        Ok(OutsideMessage {
            subject: subject.to_owned(),
            id: id.map(str::to_owned),
            seq,
            stored,
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
        acknowledge(self.message, "a message").await;
    }
}

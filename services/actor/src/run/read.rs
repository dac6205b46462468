//! Reading: resets the consumer to the projection's position, and verifies and folds each message.

use std::time::Duration;

use async_nats::jetstream::{Message, consumer::PullConsumer, stream::ConsumerErrorKind};
use bus_schema::{
    AUDIT, Author as _, AuthorId, CanPublish, Digest, Head, Live as _, Raw, Read, ServiceStarted,
    Time, Verifier,
};
use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};

use super::{
    Actor, FOLD_AT_ONCE, Me,
    pull::{Messages, PATIENCE, patient, prompt},
    sees,
};
use crate::{
    Core, Error, Service,
    bus::{REQUEST_TIMEOUT, header, share_keys},
    error::chain,
    live::said,
    projection::Position,
};

impl<S: Service> Actor<S>
where
    Me<S>: CanPublish<ServiceStarted>,
{
    /// Subscribes to audit's heads, for authors that may; an endless empty stream for all others.
    pub(super) async fn heads(&self) -> Result<BoxStream<'static, async_nats::Message>, Error> {
        if !Head::TO.contains(&Me::<S>::ID) {
            return Ok(futures::stream::pending().boxed());
        }
        let subscribed = self.bus.client().subscribe(Head::subject()).await;
        let failed = |error| Error::Bus {
            what: "to subscribe to the log's heads",
            reason: chain(&error),
        };
        Ok(subscribed.map_err(failed)?.boxed())
    }

    /// Resets the consumer to the projection's position and starts pulling.
    pub(super) async fn open(&mut self) -> Result<Messages, Error> {
        let name = Me::<S>::ID.name();
        let mut tried = 0;
        loop {
            match self.try_open(name).await {
                Ok(messages) => return Ok(messages),
                Err(Error::Bus { what, reason }) => {
                    tried += 1;
                    tracing::warn!(what, reason, tried, "cannot read the stream yet");
                    self.write_health(Some("cannot read the stream"))?;
                    if *self.stop.borrow() {
                        return Err(Error::Bus { what, reason });
                    }
                    tokio::time::sleep(
                        Duration::from_millis(200) + self.clock.jitter(Duration::from_millis(200)),
                    )
                    .await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens it again. The old pull is dropped first: its waiting request would take messages from the new one.
    pub(super) async fn reopen(&mut self, old: Messages) -> Result<Messages, Error> {
        drop(old);
        self.open().await
    }

    async fn try_open(&mut self, name: &str) -> Result<Messages, Error> {
        let failed = |what: &'static str| move |reason: String| Error::Bus { what, reason };
        let found = self
            .bus
            .jetstream()
            .get_consumer_from_stream(name, AUDIT)
            .await;
        let mut consumer: PullConsumer = found.map_err(|error| {
            let missing = matches!(
                error.kind(),
                ConsumerErrorKind::JetStream(ref code) if code.code() == 404
            );
            if missing {
                Error::NotProvisioned {
                    what: format!("the consumer {name} of the stream {AUDIT}"),
                }
            } else {
                failed("to find the consumer")(chain(&error))
            }
        })?;
        // Two instances would take each other's messages for ever, so the second waits until the first is gone.
        if self.is_read(&mut consumer).await? {
            return Err(failed("to read the stream")(
                "another instance of this service reads it; this one stands by".to_owned(),
            ));
        }
        // The last folded message comes again: only the same stream has the same message there.
        let from = self.position.seq.max(1);
        let reset = consumer.reset(Some(from)).await;
        let reset = reset.map_err(|error| failed("to reset the consumer")(chain(&error)))?;
        let pending = reset.info.num_pending;
        if self.position.seq > 0 && pending == 0 {
            self.rebuild("the stream ends before the projection's position")?;
            return Box::pin(self.try_open(name)).await;
        }
        self.consumed = 0;
        self.caught_up = pending == 0;
        if Me::<S>::ID.is_prompt() {
            prompt(&consumer).await.map_err(failed("to pull"))
        } else {
            Ok(patient(consumer, self.hurry.subscribe()))
        }
    }

    /// Returns true if another instance reads: a pull waits, or messages were delivered during a short pause.
    async fn is_read(&self, consumer: &mut PullConsumer) -> Result<bool, Error> {
        let before = consumer.cached_info().delivered.consumer_sequence;
        if consumer.cached_info().num_waiting > 0 || Me::<S>::ID.is_prompt() {
            return Ok(consumer.cached_info().num_waiting > 0);
        }
        tokio::time::sleep(2 * PATIENCE).await;
        let now = consumer.info().await.map_err(|error| Error::Bus {
            what: "to query the consumer",
            reason: chain(&error),
        })?;
        Ok(now.num_waiting > 0 || now.delivered.consumer_sequence != before)
    }

    fn rebuild(&mut self, why: &str) -> Result<(), Error> {
        tracing::warn!(
            why,
            seq = self.position.seq,
            "the projection is of another stream; rebuilding it"
        );
        self.doubt()?;
        self.verifier = Verifier::new(self.verifier.owner(), sees(Me::<S>::ID));
        self.position = Position::START;
        self.core.restore(<S::Core as Core>::State::default());
        Ok(())
    }

    /// Folds the available messages, up to a bound. Returns `false` if the consumer has to be opened again.
    pub(super) async fn fold_some(
        &mut self,
        first: Option<Result<Message, String>>,
        messages: &mut Messages,
    ) -> Result<bool, Error> {
        let mut next = first;
        for left in (0..FOLD_AT_ONCE).rev() {
            match next {
                Some(Ok(message)) => {
                    if !self.fold(&message)? {
                        let pause = self.clock.jitter(REQUEST_TIMEOUT / 10);
                        tokio::time::sleep(pause).await;
                        return Ok(false);
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(error, "reading the stream was interrupted");
                    return Ok(false);
                }
                None => return Ok(false),
            }
            // A message that is taken here and not folded would be missing for ever.
            if left == 0 || !self.core.ready() {
                break;
            }
            match messages.next().now_or_never() {
                Some(message) => next = message,
                None => break,
            }
        }
        Ok(true)
    }

    /// Folds one message. Returns `false` if it is not the expected one.
    fn fold(&mut self, message: &Message) -> Result<bool, Error> {
        let Ok(info) = message.info() else {
            return Ok(false);
        };
        if info.consumer_sequence != self.consumed + 1 {
            tracing::warn!(
                expected = self.consumed + 1,
                came = info.consumer_sequence,
                "a message is missing: another instance reads as this service, or the server restarted"
            );
            return Ok(false);
        }
        let again = self.consumed == 0 && self.position.seq > 0;
        self.consumed += 1;
        let stored =
            Time::from_ns(i64::try_from(info.published.unix_timestamp_nanos()).unwrap_or(0));
        let digest = digest(message, stored);
        let last = info.pending == 0;
        if again {
            if info.stream_sequence != self.position.seq || digest != self.position.digest {
                self.rebuild("another message is at the projection's position")?;
                return Ok(false);
            }
            self.caught_up |= last;
            return Ok(true);
        }
        self.compare(info.stream_sequence, digest, last)?;
        self.saw(stored, last);
        let raw = Raw {
            subject: &message.subject,
            signature: header(message.headers.as_ref(), bus_schema::HEADER_SIGNATURE),
            body: &message.payload,
            seq: info.stream_sequence,
            stored,
        };
        let deployment = self.verifier.deployment();
        let read = self.verifier.read::<<S::Core as Core>::Fact>(&raw)?;
        self.position = Position {
            seq: raw.seq,
            digest,
        };
        self.unsaved += 1;
        let (by, junk) = match read {
            Read::Fact(seen) => {
                let meta = *seen.meta();
                self.core.observe(&raw, Ok(&meta));
                self.core.fold(seen);
                self.heed(&meta, &raw)?;
                self.own(&meta);
                (Some(meta.by), None)
            }
            Read::Other(meta) => {
                self.core.observe(&raw, Ok(&meta));
                self.heed(&meta, &raw)?;
                self.own(&meta);
                (Some(meta.by), None)
            }
            Read::Junk(junk) => {
                tracing::debug!(seq = raw.seq, subject = raw.subject, %junk, "skipped junk");
                self.core.observe(&raw, Err(junk));
                (None, Some(junk))
            }
        };
        self.appender.on_read(raw.seq, by, junk)?;
        if by == Some(AuthorId::Owner) || deployment.is_none() {
            self.take_keys()?;
        }
        self.caught_up |= last;
        Ok(true)
    }

    /// Takes the server's time from a message; `last` is true if no other message waits.
    fn saw(&mut self, stored: Time, last: bool) {
        // A message that was not waited for may be old.
        let live = self.caught_up && last;
        if let Some(by) = self.bus_clock.saw(stored, self.clock.elapsed(), live) {
            tracing::warn!(
                "the server's clock went back by {} ms, or its messages come late; continuing with the server's time",
                by.as_millis()
            );
        }
    }

    /// Shares the keys of the roster; one without the own key ends an actor that publishes.
    fn take_keys(&self) -> Result<(), Error> {
        share_keys(&self.keys, &self.verifier);
        // In a stream that was made again, messages may come before the roster.
        if self.announced && self.verifier.deployment().is_some() {
            self.check_roster()?;
        }
        Ok(())
    }

    pub(super) fn hear(&mut self, message: &async_nats::Message) {
        let signature =
            header(message.headers.as_ref(), bus_schema::HEADER_SIGNATURE).unwrap_or_default();
        if let Some((head, number)) = said(&mut self.verifier, &message.payload, signature) {
            self.heads
                .hear(head, number, self.began, self.clock.elapsed());
        }
    }
}

/// The digest that distinguishes a message from every other, also from a copy of its bytes.
fn digest(message: &async_nats::Message, stored: Time) -> Digest {
    Digest::of(&[
        &stored.ns().to_be_bytes(),
        message.subject.as_bytes(),
        &message.payload,
    ])
}

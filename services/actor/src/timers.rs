//! The durable timers of the scheduler: the server keeps them, and stores a message when one fires.

use std::fmt;

use async_nats::{
    header::{NATS_SCHEDULE, NATS_SCHEDULE_TARGET},
    jetstream::{Message, message::PublishMessage},
};
use bus_schema::{
    JobName, Scheduler, TIMERS, Time,
    stream::{due, timer},
};

use crate::{
    Bus, Error,
    error::chain,
    pulled::{Pulled, acknowledge, failed, stored},
};

/// Most fired timers of one pull.
const AT_ONCE: usize = 256;

/// The fired timers, oldest first.
pub struct Timers(Pulled);

/// A timer that has fired. It carries no authority: it only says that bus time has come this far.
#[derive(Debug)]
pub struct FiredTimer {
    /// Its job.
    pub job: JobName,
    /// The time at which the server stored that it fired.
    pub stored: Time,
    message: Message,
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").finish_non_exhaustive()
    }
}

impl Bus<Scheduler> {
    /// Sets the timer of a job to the first millisecond that is not before `at`; replaces the one before. Returns once
    /// it is durable.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server refuses it or does not answer.
    pub async fn set_timer(&self, job: &JobName, at: Time) -> Result<(), Error> {
        let failed = failed("to set a timer");
        let at = Time::from_ns(at.ns().saturating_add(999_999));
        let message = PublishMessage::build()
            .header(NATS_SCHEDULE, format!("@at {at}"))
            .header(NATS_SCHEDULE_TARGET, due(job));
        let sent = self.jetstream().send_publish(timer(job), message).await;
        let stored = sent.map_err(|error| failed(chain(&error)))?;
        stored
            .await
            .map(drop)
            .map_err(|error| failed(chain(&error)))
    }

    /// Starts to read the timers that fired.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer, or has no such consumer.
    pub async fn timers(&self) -> Result<Timers, Error> {
        let pulled = Pulled::open(self, (TIMERS, AT_ONCE), "to read the timers");
        Ok(Timers(pulled.await?))
    }
}

impl Timers {
    /// Returns the next timer that fired. Messages that no timer made are passed over.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer any more; then it has to be opened again.
    pub async fn next(&mut self) -> Result<FiredTimer, Error> {
        loop {
            let message = self.0.next().await?;
            let job = message
                .subject
                .strip_prefix("due.")
                .and_then(|job| job.parse().ok());
            let Some((job, (_, stored))) = job.zip(stored(&message)) else {
                // It stays in the stream, where a person can see it.
                tracing::warn!(
                    subject = message.subject.as_str(),
                    "a message that no timer made"
                );
                continue;
            };
            return Ok(FiredTimer {
                job,
                stored,
                message,
            });
        }
    }
}

impl FiredTimer {
    /// Removes it from the stream.
    pub async fn done(self) {
        acknowledge(self.message, "a timer").await;
    }
}

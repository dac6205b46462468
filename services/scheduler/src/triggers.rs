//! Decides what a job does with a message from outside, or with several that one run takes together.

use std::collections::BTreeMap;

use bus_schema::{Digest, JobOnRecord, MessageRefusal, Sealed, Time};
use job::{Job, NotTaken, Overlap};

use crate::{plan::RUNS_MAX, runs::Runs};

/// A message from outside: nobody's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerMessage {
    /// Its place in the stream of triggers.
    pub seq: u64,
    /// Source and name, such as `cli.build`.
    pub subject: String,
    /// SHA-256 of its subject and id.
    pub key: Digest,
    /// The time at which the server stored it.
    pub stored: Time,
}

/// A message that is not done.
#[derive(Debug)]
pub(crate) struct PendingTrigger {
    pub(crate) message: TriggerMessage,
    /// The message as it is stored for its runs.
    pub(crate) sealed: Sealed,
}

/// The effect of messages on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nothing: a later message takes its place.
    Passed,
    /// Nothing, though the job waits for such messages: it is counted.
    Refused(MessageRefusal),
    /// They run later: at this time, or once a run has ended.
    Waits(Option<Time>),
    /// They run now.
    Runs,
}

/// A message as a job takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TakenMessage {
    /// Its key.
    pub(crate) key: Digest,
    /// The texts that it has for slots of the contract.
    pub(crate) slots: BTreeMap<String, String>,
}

impl PendingTrigger {
    /// Returns true if a job waits for such messages. One from before its signature, or from a pause, starts nothing.
    pub(crate) fn is_about(&self, job: &Job, record: &JobOnRecord) -> bool {
        job.when.trigger() == Some(self.message.subject.as_str())
            && self.message.stored > record.since
    }

    /// Returns what a job takes from the message.
    ///
    /// # Errors
    /// The reason for which it does not take it.
    pub(crate) fn taken(&self, job: &Job) -> Result<TakenMessage, NotTaken> {
        let taken = job.messages.take(self.sealed.bytes())?;
        let key = job.messages.key_of(&self.message.subject, &taken);
        Ok(TakenMessage {
            key: key.unwrap_or(self.message.key),
            slots: job.messages.slots_of(&taken),
        })
    }

    /// Returns what a job that waits for a quiet time does with the message; none once that time has passed. `later` says whether
    /// it waits for a later one, too.
    pub(crate) fn debounced(&self, job: &Job, later: bool, now: Time) -> Option<Taken> {
        let quiet = self.message.stored.plus_ms(job.messages.debounce_ms?);
        if later {
            return Some(Taken::Passed);
        }
        (now < quiet).then_some(Taken::Waits(Some(quiet)))
    }
}

/// Returns what a job does with messages that are ready to run, as its rate and its runs permit. `earlier` is the number of runs
/// for which earlier messages wait.
pub(crate) fn ready(runs: &Runs, job: &Job, earlier: usize, now: Time) -> Taken {
    if let Some(rate) = job.messages.rate
        && runs.triggered_since(&job.name, now, rate.per_ms) >= usize::from(rate.runs)
    {
        return Taken::Refused(MessageRefusal::Rate);
    }
    match (job.overlap, runs.progress(&job.name).open) {
        (_, 0) => Taken::Runs,
        (Overlap::Skip, _) => Taken::Refused(MessageRefusal::Overlap),
        (Overlap::Allow | Overlap::Cancel, open) if open < RUNS_MAX => Taken::Runs,
        (Overlap::Queue(most), _) if earlier >= usize::from(most) => {
            Taken::Refused(MessageRefusal::Queue)
        }
        (Overlap::Allow | Overlap::Cancel | Overlap::Queue(_), _) => Taken::Waits(None),
    }
}

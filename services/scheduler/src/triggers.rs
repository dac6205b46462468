//! Decides which jobs a message from outside starts.

use bus_schema::{Digest, JobOnRecord, MessageRefusal, RunCause, Sealed, Time};
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

/// The effect of a message on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nothing: it is about something else, or the job has run because of it.
    Done,
    /// Nothing: a run goes on, and the job passes over what comes meanwhile, or a later message takes its place.
    Passed,
    /// Nothing, though the job waits for such messages: it is counted.
    Refused(MessageRefusal),
    /// It runs later: at this time, or once a run has ended.
    Waits(Option<Time>),
    /// It runs now.
    Runs(RunCause),
}

impl PendingTrigger {
    /// Returns true if a job waits for such messages. One from before its signature, or from a pause, starts nothing.
    pub(crate) fn is_about(&self, job: &Job, record: &JobOnRecord) -> bool {
        job.when.trigger() == Some(self.message.subject.as_str())
            && self.message.stored > record.since
    }

    /// Returns the key of the message for a job that takes it.
    ///
    /// # Errors
    /// The reason for which the job does not take it.
    pub(crate) fn key(&self, job: &Job) -> Result<Digest, NotTaken> {
        let taken = job.messages.take(self.sealed.bytes())?;
        let key = job.messages.key_of(&self.message.subject, &taken);
        Ok(key.unwrap_or(self.message.key))
    }

    /// Returns what a job does with the message, which it takes under `key`. `others` are the earlier and the later ones that
    /// it takes, too.
    pub(crate) fn taken(
        &self,
        runs: &Runs,
        (job, record): (&Job, &JobOnRecord),
        key: Digest,
        (earlier, later): (usize, bool),
        now: Time,
    ) -> Taken {
        let cause = RunCause::Triggered {
            key,
            body: self.sealed.content(),
        };
        if runs.was_triggered(record, cause) {
            return Taken::Done;
        }
        if let Some(ms) = job.messages.debounce_ms {
            let quiet = self.message.stored.plus_ms(ms);
            if later {
                return Taken::Passed;
            }
            if now < quiet {
                return Taken::Waits(Some(quiet));
            }
        }
        if let Some(rate) = job.messages.rate
            && runs.triggered_since(&job.name, now, rate.per_ms) >= usize::from(rate.runs)
        {
            return Taken::Refused(MessageRefusal::Rate);
        }
        match (job.overlap, runs.progress(&job.name).open) {
            (_, 0) => Taken::Runs(cause),
            (Overlap::Skip, _) => Taken::Passed,
            (Overlap::Allow | Overlap::Cancel, open) if open < RUNS_MAX => Taken::Runs(cause),
            (Overlap::Queue(most), _) if earlier >= usize::from(most) => {
                Taken::Refused(MessageRefusal::Queue)
            }
            (Overlap::Allow | Overlap::Cancel | Overlap::Queue(_), _) => Taken::Waits(None),
        }
    }
}

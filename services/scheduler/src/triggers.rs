//! Decides which jobs a message from outside starts.

use bus_schema::{Digest, JobOnRecord, RunCause, Sealed, Time};
use job::{Job, Overlap};

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
    /// Nothing: a run goes on, and the job passes over what comes meanwhile.
    Passed,
    /// It runs later.
    Waits,
    /// It runs now.
    Runs(RunCause),
}

impl PendingTrigger {
    /// Returns what a job does with the message.
    pub(crate) fn taken(&self, runs: &Runs, job: &Job, record: &JobOnRecord) -> Taken {
        let is_about = job.when.trigger() == Some(self.message.subject.as_str());
        // A message from before the signature, or from a pause, starts nothing.
        if !is_about || self.message.stored <= record.since {
            return Taken::Done;
        }
        let cause = RunCause::Triggered {
            key: self.message.key,
            body: self.sealed.content(),
        };
        if runs.was_triggered(record, cause) {
            return Taken::Done;
        }
        match (job.overlap, runs.progress(&job.name).open) {
            (_, 0) => Taken::Runs(cause),
            (Overlap::Skip, _) => Taken::Passed,
            (Overlap::Allow | Overlap::Cancel, open) if open < RUNS_MAX => Taken::Runs(cause),
            (Overlap::Allow | Overlap::Cancel | Overlap::Queue(_), _) => Taken::Waits,
        }
    }
}

//! Judges the runs of jobs: whether the job that the owner signed has such a run now.

use actor::Key;
use bus_schema::{Content, JobOnRecord, RefusalCode, RunCause, Time};

use crate::core::PolicyCore;
use crate::fetch::Fetch;
use crate::state::{DueRun, State, Submission};

/// The time before a slot from which its run is kept until the slot is due: the server's clock may have been set back.
const EARLY_MS_MAX: u64 = 3_600_000;

impl State {
    /// Returns true if `content` is the document of a job.
    pub(crate) fn needs_job(&self, content: &Content) -> bool {
        self.jobs.iter().any(|job| job.signed.document == *content)
    }

    fn record_of(&self, run: &DueRun) -> Option<&JobOnRecord> {
        self.jobs.running(&run.job, run.version)
    }
}

impl PolicyCore {
    pub(crate) fn want_job(&self, one: &Submission, to: &mut Vec<(Key, Fetch)>) {
        let record = one.run.as_ref().and_then(|run| self.state.record_of(run));
        if let Some(record) = record.filter(|_| one.said.is_ok())
            && !self.jobs.contains_key(&record.signed.document)
        {
            let content = record.signed.document;
            to.push((
                Key::Digest("job", *content.digest()),
                Fetch::Job { content },
            ));
        }
    }

    /// Returns true if a run cannot be judged yet: its job has not been read, or its slot is not due.
    pub(crate) fn run_must_wait(&self, run: &DueRun, now: Time) -> bool {
        let Some(record) = self.state.record_of(run) else {
            return false;
        };
        let early = |slot: Time| slot > now && slot <= now.plus_ms(EARLY_MS_MAX);
        !self.jobs.contains_key(&record.signed.document) || run.slot().is_some_and(early)
    }

    /// Checks that the job is in force, belongs to its contract, and has such a run by now.
    ///
    /// # Errors
    /// The code of the rejection.
    pub(crate) fn check_run(&self, run: &DueRun, now: Time) -> Result<(), RefusalCode> {
        let record = self.state.record_of(run).ok_or(RefusalCode::NoJob)?;
        let job = self.jobs.get(&record.signed.document);
        let job = job.and_then(Option::as_ref);
        let job = job.filter(|job| job.name == run.job);
        let job = job.ok_or(RefusalCode::InvalidJob)?;
        let active = self.state.contracts.get(&record.signed.contract);
        let active = active.ok_or(RefusalCode::NoContract)?;
        if active.name != job.contract {
            return Err(RefusalCode::InvalidJob);
        }
        let has = match run.cause {
            RunCause::Slot(slot) => {
                slot <= now && slot > record.since && job.when.has(slot, record.at)
            }
            RunCause::Ordered(_) => true,
            // Nobody can tell who sent the message; the owner said that it may start this.
            RunCause::Triggered { .. } => job.when.trigger().is_some(),
        };
        if has { Ok(()) } else { Err(RefusalCode::NoRun) }
    }

    /// Returns the first slot after `now` that a run waits for.
    pub(crate) fn first_slot(&self, now: Time) -> Option<Time> {
        let runs = self.state.submitted.values();
        let slots = runs.filter_map(|one| one.run.as_ref().filter(|_| one.said.is_ok())?.slot());
        slots.filter(|slot| *slot > now).min()
    }
}

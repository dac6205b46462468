//! The runs of jobs on the record: those that go on, and those that failed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Content, JobName, JobOnRecord, RunCause, RunDue, StopReason, TaskId, TaskOutcome, Time,
};

/// Largest number of failed runs that are remembered; the oldest is forgotten first.
pub const FAILED_RUNS_MAX: usize = 1_000;

/// Largest number of ended runs that are remembered; the oldest is forgotten first.
pub const ENDED_RUNS_MAX: usize = 1_000;

/// The runs of jobs that go on, and the newest ones that failed and were not run again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunsOnRecord {
    open: BTreeMap<TaskId, RunOnRecord>,
    failed: BTreeMap<TaskId, FailedRun>,
    ended: BTreeMap<TaskId, EndedRun>,
    ended_at: BTreeSet<(Time, TaskId)>,
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOnRecord {
    /// The job.
    pub job: JobName,
    /// Its version.
    pub version: u32,
    /// The document of that version.
    pub document: Content,
    /// The number of this attempt, from 1.
    pub attempt: u8,
    /// The message that started it, or the first of its attempts.
    pub body: Option<Content>,
    /// The time of its admission, in bus time; none before.
    pub admitted: Option<Time>,
    /// The reason for which policy stopped it.
    pub stopped: Option<StopReason>,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedRun {
    /// Its job.
    pub job: JobName,
    /// The time of its end, in bus time.
    pub at: Time,
    /// True if it succeeded.
    pub succeeded: bool,
    /// True if it failed, or was stopped at its deadline.
    pub failed: bool,
}

/// A run that failed, or was stopped at its deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedRun {
    /// The run.
    pub run: RunOnRecord,
    /// The time of its end, in bus time.
    pub ended: Time,
}

impl RunsOnRecord {
    /// Folds a run that is due. `again` is the run that the owner ordered again. Returns true if the run goes on from here.
    pub fn due(
        &mut self,
        task: TaskId,
        record: &JobOnRecord,
        due: &RunDue,
        again: Option<TaskId>,
    ) -> bool {
        let (attempt, body) = match due.cause {
            RunCause::Slot(_) | RunCause::After(_) | RunCause::Started(_) => (1, None),
            RunCause::Triggered { body, .. } => (1, Some(body)),
            RunCause::Ordered(_) => {
                let before = again.and_then(|again| self.take_failed(again, &due.job));
                (1, before.and_then(|before| before.run.body))
            }
            RunCause::Retried(of) => match self.take_failed(of, &due.job) {
                Some(before) => (before.run.attempt.saturating_add(1), before.run.body),
                None => return false,
            },
        };
        let run = RunOnRecord {
            job: due.job.clone(),
            version: due.version,
            document: record.signed.document,
            attempt,
            body,
            admitted: None,
            stopped: None,
        };
        let is_new = !self.open.contains_key(&task);
        self.open.entry(task).or_insert(run);
        is_new
    }

    /// Removes a failed run of the job, which is run again.
    fn take_failed(&mut self, of: TaskId, job: &JobName) -> Option<FailedRun> {
        self.failed.get(&of).filter(|one| one.run.job == *job)?;
        self.failed.remove(&of)
    }

    /// Folds the admission of a run at `at`.
    pub fn admitted(&mut self, at: Time, task: TaskId) {
        if let Some(run) = self.open.get_mut(&task) {
            run.admitted.get_or_insert(at);
        }
    }

    /// Folds policy's order to stop a run.
    pub fn stopped(&mut self, task: TaskId, why: StopReason) {
        if let Some(run) = self.open.get_mut(&task) {
            run.stopped.get_or_insert(why);
        }
    }

    /// Folds a rejection, and returns the run if it ended by that: a later submission of its id may be rejected, too.
    pub fn rejected(&mut self, task: TaskId) -> Option<RunOnRecord> {
        self.open.get(&task).filter(|run| run.admitted.is_none())?;
        self.open.remove(&task)
    }

    /// Folds the end of a run at `at`, and returns the run.
    pub fn ended(&mut self, at: Time, task: TaskId, outcome: TaskOutcome) -> Option<RunOnRecord> {
        let run = self.open.remove(&task)?;
        let failed = has_failed(outcome, run.stopped);
        let end = EndedRun {
            job: run.job.clone(),
            at,
            succeeded: outcome == TaskOutcome::Succeeded,
            failed,
        };
        self.ended.insert(task, end);
        self.ended_at.insert((at, task));
        while self.ended_at.len() > ENDED_RUNS_MAX
            && let Some((_, oldest)) = self.ended_at.pop_first()
        {
            self.ended.remove(&oldest);
        }
        if failed {
            let (run, ended) = (run.clone(), at);
            self.failed.insert(task, FailedRun { run, ended });
            while self.failed.len() > FAILED_RUNS_MAX {
                let oldest = self.failed.iter().min_by_key(|(_, one)| one.ended);
                let Some((oldest, _)) = oldest.map(|(task, one)| (*task, one.ended)) else {
                    break;
                };
                self.failed.remove(&oldest);
            }
        }
        Some(run)
    }

    /// Returns the runs that go on.
    pub fn open(&self) -> impl Iterator<Item = (TaskId, &RunOnRecord)> {
        self.open.iter().map(|(task, run)| (*task, run))
    }

    /// Returns a run that goes on.
    #[must_use]
    pub fn get(&self, task: TaskId) -> Option<&RunOnRecord> {
        self.open.get(&task)
    }

    /// Returns the last runs that ended, oldest first.
    pub fn ended_runs(&self) -> impl Iterator<Item = (TaskId, &EndedRun)> {
        let each = self.ended_at.iter();
        each.filter_map(|(_, task)| Some((*task, self.ended.get(task)?)))
    }

    /// Returns one of the last runs that ended.
    #[must_use]
    pub fn ended_run(&self, task: TaskId) -> Option<&EndedRun> {
        self.ended.get(&task)
    }

    /// Returns the failed runs that were not run again.
    pub fn failed(&self) -> impl Iterator<Item = (TaskId, &FailedRun)> {
        self.failed.iter().map(|(task, failed)| (*task, failed))
    }

    /// Returns a failed run that was not run again.
    #[must_use]
    pub fn failed_run(&self, task: TaskId) -> Option<&FailedRun> {
        self.failed.get(&task)
    }
}

/// Returns true if an end counts as a failure: a run that the owner cancelled, or that another replaced, did not fail.
#[must_use]
pub fn has_failed(outcome: TaskOutcome, stopped: Option<StopReason>) -> bool {
    match outcome {
        TaskOutcome::Succeeded => false,
        TaskOutcome::Failed => true,
        TaskOutcome::Cancelled => stopped == Some(StopReason::Deadline),
    }
}

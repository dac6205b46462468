//! The runs of jobs on the record, with what became of each.

use std::collections::BTreeMap;

use bus_schema::{
    AuthorId, DeploymentId, EventId, JobName, JobOnRecord, Jobs, MessageRefusal, Meta, RefusalCode,
    RunCause, RunDue, SchedulerFact, StopReason, TaskId, TaskOutcome, Time, has_failed,
};
use deployment::Deployment;
use job::Job;
use serde::Serialize;

use crate::{Error, command::contract::History, reason};

/// The jobs on the record, and their runs.
#[derive(Debug, Default)]
pub(super) struct JobRuns {
    deployment: Option<DeploymentId>,
    pub(super) jobs: Jobs,
    /// Oldest first.
    runs: BTreeMap<u64, JobRun>,
    places: BTreeMap<TaskId, u64>,
    /// The messages that started no run, each with their number and the time of the last.
    refused: BTreeMap<(JobName, MessageRefusal), (u64, Time)>,
    /// The runs that the owner ordered again, by the orders.
    orders: BTreeMap<EventId, TaskId>,
    /// The bus time of the newest fact.
    pub(super) now: Time,
}

/// A run of a job.
#[derive(Debug, Clone, Serialize)]
pub(super) struct JobRun {
    /// The job.
    pub(super) job: JobName,
    /// Its version.
    pub(super) version: u32,
    /// Its task.
    pub(super) task: TaskId,
    /// The slot, or the order of the owner.
    pub(super) cause: RunCause,
    /// The time at which it was due on the record, in bus time.
    pub(super) due: Time,
    /// Its state.
    #[serde(flatten)]
    pub(super) state: RunState,
    /// The number of this attempt, from 1.
    pub(super) attempt: u8,
    /// The reason for which policy stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<StopReason>,
    /// The run that ran it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<TaskId>,
}

/// Messages that started no run, by the reason.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct RefusedCount {
    /// The reason.
    why: MessageRefusal,
    /// Their number.
    count: u64,
    /// The time at which the last of them was stored.
    last: Time,
}

impl RefusedCount {
    /// Returns it in words.
    pub(super) fn text(self) -> String {
        let why = match self.why {
            MessageRefusal::Shape => {
                "their bodies are no objects, or lack a field that the job needs"
            }
            MessageRefusal::Rate => "the job had as many runs as its `rate` permits",
            MessageRefusal::Queue => "as many as its `queue` permits waited already",
            MessageRefusal::Overlap => {
                "a run of the job went on, and its `overlap` passes over them"
            }
        };
        format!(
            "messages without a run: {}, last {}: {why}",
            self.count, self.last
        )
    }
}

/// The consequence of a run that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterFailure {
    /// It is tried again at this time.
    Retries(Time),
    /// All attempts failed: the owner can run it again.
    DeadLetter,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub(super) enum RunState {
    /// Policy has not decided yet.
    Due,
    /// It goes on.
    Running,
    /// Policy rejected it.
    Rejected {
        /// The reason.
        code: RefusalCode,
    },
    /// It has ended.
    Ended {
        /// The outcome.
        outcome: TaskOutcome,
        /// The time of its end, in bus time.
        at: Time,
    },
}

impl RunState {
    /// Returns it in words.
    pub(super) fn text(self) -> String {
        match self {
            Self::Due => "due".to_owned(),
            Self::Running => "running".to_owned(),
            Self::Rejected { code } => format!("rejected: {}", reason::in_words(code)),
            Self::Ended { outcome, .. } => reason::outcome(outcome).to_owned(),
        }
    }
}

impl JobRun {
    /// Returns what follows by the job in force, if it failed and was not run again.
    pub(super) fn after_failure(&self, job: &Job, record: &JobOnRecord) -> Option<AfterFailure> {
        let RunState::Ended { outcome, at } = self.state else {
            return None;
        };
        let retry = job.retry.filter(|_| self.again.is_none())?;
        if !has_failed(outcome, self.stopped) {
            return None;
        }
        let next = retry.next(self.attempt, at);
        let next = next.filter(|_| record.runs(self.version));
        Some(next.map_or(AfterFailure::DeadLetter, AfterFailure::Retries))
    }

    /// Returns its state in words.
    pub(super) fn said(&self, job: Option<(&Job, &JobOnRecord)>) -> String {
        let state = match self.stopped {
            Some(StopReason::Deadline) => "stopped at its deadline".to_owned(),
            Some(StopReason::Replaced) => "stopped, a later run took its place".to_owned(),
            None => self.state.text(),
        };
        let retry = job.and_then(|(job, _)| job.retry);
        let attempt = match retry {
            Some(retry) if self.attempt > 1 => {
                format!(", attempt {} of {}", self.attempt, retry.attempts)
            }
            Some(_) | None => String::new(),
        };
        let follows = job.and_then(|(job, record)| self.after_failure(job, record));
        let follows = match follows {
            Some(AfterFailure::Retries(at)) => format!(", tried again at {at}"),
            Some(AfterFailure::DeadLetter) => {
                format!(
                    ", dead letter: `contractual job retry {}` runs it again",
                    self.task
                )
            }
            None => self
                .again
                .map_or_else(String::new, |again| format!(", run again as {again}")),
        };
        format!("{state}{attempt}{follows}")
    }
}

impl JobRuns {
    /// Returns the messages that started no run of a job.
    pub(super) fn refused(&self, job: &JobName) -> impl Iterator<Item = RefusedCount> {
        let own = self.refused.iter().filter(move |((of, _), _)| of == job);
        own.map(|((_, why), (count, last))| RefusedCount {
            why: *why,
            count: *count,
            last: *last,
        })
    }

    /// Returns a run.
    pub(super) fn run(&self, task: TaskId) -> Option<&JobRun> {
        self.runs.get(self.places.get(&task)?)
    }

    /// Reads the whole record.
    ///
    /// # Errors
    /// The bus's error.
    pub(super) async fn read(
        deployment: &Deployment,
    ) -> Result<(Self, History<SchedulerFact>), Error> {
        let mut history = History::<SchedulerFact>::read(deployment).await?;
        let mut found = Self::default();
        for (meta, fact) in std::mem::take(&mut history.facts) {
            found.fold(&meta, fact);
        }
        Ok((found, history))
    }

    /// Returns the runs of a job, newest first.
    pub(super) fn of(&self, job: &JobName) -> impl Iterator<Item = &JobRun> {
        let runs = self.runs.values().rev();
        runs.filter(move |run| run.job == *job)
    }

    fn fold(&mut self, meta: &Meta, fact: SchedulerFact) {
        self.now = self.now.max(meta.stored);
        match fact {
            SchedulerFact::RosterChanged(_, fact) => self.deployment = Some(fact.deployment),
            SchedulerFact::JobSigned(_, fact) => drop(self.jobs.sign(meta.stored, *fact)),
            SchedulerFact::JobRevoked(_, fact) => self.jobs.revoke(&fact),
            SchedulerFact::JobPaused(_, fact) => self.jobs.pause(&fact),
            SchedulerFact::JobResumed(_, fact) => self.jobs.resume(meta.stored, &fact),
            SchedulerFact::RunOrdered(_, fact) => {
                let again = fact.again.map(|again| (meta.id, again));
                self.orders.extend(again);
            }
            SchedulerFact::RunDue(_, fact) => self.due(meta, *fact),
            SchedulerFact::TriggerRefused(_, fact) => {
                let count = self.refused.entry((fact.job, fact.why)).or_default();
                count.0 = count.0.saturating_add(u64::from(fact.count));
                count.1 = count.1.max(fact.last);
            }
            SchedulerFact::TaskStopped(task, fact) => {
                if let Some(run) = self.places.get(&task).and_then(|at| self.runs.get_mut(at)) {
                    run.stopped = Some(fact.why);
                }
            }
            SchedulerFact::TaskAdmitted(task, _) => {
                self.change(task, RunState::Running, |now| now == RunState::Due);
            }
            SchedulerFact::TaskRejected(task, fact) => {
                let state = RunState::Rejected { code: fact.code };
                self.change(task, state, |now| now == RunState::Due);
            }
            SchedulerFact::TaskFinished(task, fact) if meta.by == AuthorId::Worker => {
                let state = RunState::Ended {
                    outcome: fact.outcome,
                    at: meta.stored,
                };
                self.change(task, state, |now| now == RunState::Running);
            }
            SchedulerFact::ServiceStarted(..) | SchedulerFact::TaskFinished(..) => {}
        }
    }

    fn due(&mut self, meta: &Meta, fact: RunDue) {
        let Some(deployment) = self.deployment else {
            return;
        };
        let task = TaskId::of_run(deployment, &fact.job, fact.version, fact.cause);
        let (before, retried) = match fact.cause {
            RunCause::Retried(of) => (Some(of), true),
            RunCause::Ordered(id) => (self.orders.remove(&id), false),
            RunCause::Slot(_)
            | RunCause::Triggered { .. }
            | RunCause::After(_)
            | RunCause::Started(_) => (None, false),
        };
        let before = before.and_then(|before| self.runs.get_mut(self.places.get(&before)?));
        let mut attempt = 1;
        if let Some(before) = before {
            before.again = Some(task);
            attempt += before.attempt * u8::from(retried);
        }
        self.places.entry(task).or_insert(meta.seq);
        let run = JobRun {
            job: fact.job,
            version: fact.version,
            task,
            cause: fact.cause,
            due: meta.stored,
            state: RunState::Due,
            attempt,
            stopped: None,
            again: None,
        };
        self.runs.insert(meta.seq, run);
    }

    fn change(&mut self, task: TaskId, state: RunState, from: impl FnOnce(RunState) -> bool) {
        let place = self.places.get(&task);
        if let Some(run) = place.and_then(|place| self.runs.get_mut(place))
            && from(run.state)
        {
            run.state = state;
        }
    }
}

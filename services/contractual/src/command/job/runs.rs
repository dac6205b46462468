//! The runs of jobs on the record, with what became of each.

use std::collections::BTreeMap;

use bus_schema::{
    AuthorId, DeploymentId, JobName, Jobs, Meta, RefusalCode, RunCause, SchedulerFact, TaskId,
    TaskOutcome, Time,
};
use deployment::Deployment;
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

impl JobRuns {
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
            SchedulerFact::RunOrdered(..) => {}
            SchedulerFact::RunDue(_, fact) => {
                let Some(deployment) = self.deployment else {
                    return;
                };
                let task = TaskId::of_run(deployment, &fact.job, fact.version, fact.cause);
                self.places.entry(task).or_insert(meta.seq);
                let run = JobRun {
                    job: fact.job,
                    version: fact.version,
                    task,
                    cause: fact.cause,
                    due: meta.stored,
                    state: RunState::Due,
                };
                self.runs.insert(meta.seq, run);
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
            SchedulerFact::TaskFinished(..) => {}
        }
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

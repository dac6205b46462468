//! The jobs, and the last runs of each.

use std::collections::{BTreeMap, VecDeque};

use bus_schema::{DeploymentId, JobName, Jobs, Meta, RunCause, RunDue, TaskId, Time};
use serde::{Deserialize, Serialize};

/// Runs of a job that are kept.
const RUNS_MAX: usize = 10;

/// The jobs with their last runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobRuns {
    pub(crate) jobs: Jobs,
    runs: BTreeMap<JobName, VecDeque<RunRecord>>,
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) task: TaskId,
    pub(crate) cause: RunCause,
    pub(crate) due: Time,
}

impl JobRuns {
    /// Returns the last runs of a job, newest first.
    pub(crate) fn of(&self, job: &JobName) -> impl Iterator<Item = &RunRecord> {
        self.runs.get(job).into_iter().flatten()
    }

    pub(super) fn due(&mut self, meta: &Meta, deployment: Option<DeploymentId>, fact: &RunDue) {
        let Some(deployment) = deployment.filter(|_| self.jobs.get(&fact.job).is_some()) else {
            return;
        };
        let run = RunRecord {
            task: TaskId::of_run(deployment, &fact.job, fact.version, fact.cause),
            cause: fact.cause,
            due: meta.stored,
        };
        let runs = self.runs.entry(fact.job.clone()).or_default();
        runs.push_front(run);
        runs.truncate(RUNS_MAX);
    }
}

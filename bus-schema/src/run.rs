//! The causes of the runs of jobs, and the task ids of runs.

use serde::{Deserialize, Serialize};
use uuid::Builder;

use crate::{DeploymentId, Digest, EventId, JobName, TaskId, Time, wire};

/// The cause of one run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunCause {
    /// The job's `when` has this moment.
    Slot(Time),
    /// The owner ordered it by this event.
    Ordered(EventId),
}

impl TaskId {
    /// The id of a run: a hash of deployment, job, version and cause, so that a cause has one run.
    #[must_use]
    pub fn of_run(deployment: DeploymentId, job: &JobName, version: u32, cause: RunCause) -> Self {
        let of = wire::encode(&(deployment, job, version, cause));
        let digest = Digest::of(&[b"run", &of]);
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        Self::new(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

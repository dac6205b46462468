//! The causes of the runs of jobs, and the task ids of runs.

use serde::{Deserialize, Serialize};
use uuid::Builder;

use crate::{Content, DeploymentId, Digest, EventId, JobName, TaskId, Time, wire};

/// The cause of one run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunCause {
    /// The job's `when` has this moment.
    Slot(Time),
    /// The owner ordered it by this event.
    Ordered(EventId),
    /// A message from outside started it. The message is nobody's word: it only starts what the owner signed.
    Triggered {
        /// SHA-256 of the message's subject and id, or of the key that the job reads in it: the same message is one run. Of
        /// several messages in one run: [`batch_key`].
        key: Digest,
        /// The message, as the scheduler stored it; of several in one run, a list of their bodies in MessagePack.
        body: Content,
    },
    /// The run of this task failed, and the job tries again.
    Retried(TaskId),
    /// The run of this task, of another job, ended.
    After(TaskId),
    /// The deployment started: the `service.started` with which the start is complete.
    Started(EventId),
}

/// The reason for which policy stops a run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had not ended at its deadline.
    Deadline,
    /// A later run of the job takes its place.
    Replaced,
}

/// The reason for which a message from outside starts no run of a job that waits for such messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRefusal {
    /// Its body is no object, or lacks a field that the job needs.
    Shape,
    /// The job has had as many runs as it may have in this time.
    Rate,
    /// As many messages as may wait for the end of a run do so.
    Queue,
    /// A run went on, and the job passes over messages meanwhile.
    Overlap,
}

impl RunCause {
    /// Returns the content that it names, if any.
    pub(crate) fn contents(self) -> Vec<Content> {
        match self {
            Self::Slot(_)
            | Self::Ordered(_)
            | Self::Retried(_)
            | Self::After(_)
            | Self::Started(_) => Vec::new(),
            Self::Triggered { body, .. } => vec![body],
        }
    }
}

/// Returns the key of several messages in one run: SHA-256 over their keys.
#[must_use]
pub fn batch_key(messages: &[Digest]) -> Digest {
    let mut parts: Vec<&[u8]> = vec![b"batch"];
    parts.extend(messages.iter().map(|key| key.as_bytes().as_slice()));
    Digest::of(&parts)
}

impl TaskId {
    /// The id of a run: a hash of deployment, job, version and cause, so that a cause has one run.
    #[must_use]
    pub fn of_run(deployment: DeploymentId, job: &JobName, version: u32, cause: RunCause) -> Self {
        let of = match cause {
            RunCause::Slot(_)
            | RunCause::Ordered(_)
            | RunCause::Retried(_)
            | RunCause::After(_)
            | RunCause::Started(_) => wire::encode(&(deployment, job, version, cause)),
            // A content has another digest each time that it is sealed.
            RunCause::Triggered { key, .. } => {
                wire::encode(&(deployment, job, version, "triggered", key))
            }
        };
        let digest = Digest::of(&[b"run", &of]);
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        Self::new(Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Returns true if it is the id of a run: no person and no session makes such ids.
    #[must_use]
    pub const fn is_of_run(self) -> bool {
        self.uuid().get_version_num() == 8
    }
}

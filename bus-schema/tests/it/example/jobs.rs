//! The examples of facts about jobs.

use bus_schema::{
    Deployment as D, JobPaused, JobResumed, JobRevoked, JobSigned, MessageRefusal, RunCause,
    RunDue, RunOrdered, StopReason, TaskStopped, TriggerRefused,
};

use super::{Example, content, digest, event};
use crate::fixture::{T0, name, task};

/// The facts about jobs and their runs.
pub(super) fn jobs() -> Vec<Example> {
    let signed = JobSigned {
        job: name("weekly-report"),
        version: 2,
        contract: digest(5),
        document: content(8),
        playbook: content(9),
        slots: None,
    };
    let revoked = JobRevoked {
        job: name("weekly-report"),
        version: 2,
    };
    let paused = JobPaused {
        job: name("weekly-report"),
    };
    let resumed = JobResumed {
        job: name("weekly-report"),
    };
    let ordered = RunOrdered {
        job: name("weekly-report"),
        version: 2,
        again: None,
    };
    let stopped = TaskStopped {
        why: StopReason::Deadline,
    };
    let refused = TriggerRefused {
        job: name("weekly-report"),
        why: MessageRefusal::Shape,
        count: 12,
        last: T0,
    };
    let due = RunDue {
        job: name("weekly-report"),
        version: 2,
        cause: RunCause::Slot(T0.plus_ms(3_600_000)),
        messages: Vec::new(),
    };
    vec![
        event(D, signed),
        event(D, revoked),
        event(D, paused),
        event(D, resumed),
        event(D, ordered),
        event(D, due),
        event(D, refused),
        event(task(), stopped),
    ]
}

//! The jobs on the record, and the task ids of their runs.

use bus_schema::{
    DeploymentId, EventId, JobPaused, JobResumed, JobRevoked, JobSigned, Jobs, RunCause, TaskId,
    Time,
};
use uuid::Uuid;

use crate::{
    example::{content, digest},
    fixture::{T0, deployment, name, task},
};

fn signed(version: u32) -> JobSigned {
    JobSigned {
        job: name("report"),
        version,
        contract: digest(5),
        document: content(8),
        playbook: content(9),
        slots: None,
    }
}

fn at(second: u64) -> Time {
    T0.plus_ms(second * 1000)
}

#[test]
fn only_a_higher_version_of_a_job_replaces_another() {
    let mut jobs = Jobs::default();
    assert!(jobs.sign(at(1), signed(2)));
    for older in [1, 2] {
        assert!(!jobs.sign(at(2), signed(older)), "{older}");
    }
    let job = name("report");
    assert!(jobs.running(&job, 1).is_none());
    assert_eq!(jobs.running(&job, 2).unwrap().since, at(1));
    jobs.revoke(&JobRevoked {
        job: job.clone(),
        version: 1,
    });
    assert!(jobs.running(&job, 2).is_some());
    jobs.revoke(&JobRevoked {
        job: job.clone(),
        version: 2,
    });
    assert!(jobs.running(&job, 2).is_none());
    // A replayed signature brings nothing back; a new version does.
    assert!(!jobs.sign(at(3), signed(2)));
    assert!(jobs.running(&job, 2).is_none());
    assert!(jobs.sign(at(3), signed(3)));
    assert!(jobs.running(&job, 3).is_some());
}

#[test]
fn a_paused_job_does_not_run_and_passes_over_its_pause() {
    let mut jobs = Jobs::default();
    let job = || name("report");
    jobs.sign(at(1), signed(1));
    jobs.resume(at(2), &JobResumed { job: job() });
    assert_eq!(jobs.running(&job(), 1).unwrap().since, at(1));
    jobs.pause(&JobPaused { job: job() });
    assert!(jobs.running(&job(), 1).is_none());
    jobs.resume(at(9), &JobResumed { job: job() });
    let resumed = jobs.running(&job(), 1).unwrap();
    assert_eq!((resumed.at, resumed.since), (at(1), at(9)));
}

fn triggered(key: u8, body: u8) -> RunCause {
    RunCause::Triggered {
        key: digest(key),
        body: content(body),
    }
}

#[test]
fn a_repeated_message_is_one_run_whatever_it_says() {
    let of = |cause| TaskId::of_run(deployment(), &name("report"), 1, cause);
    assert_eq!(of(triggered(5, 8)), of(triggered(5, 9)));
}

#[test]
fn a_run_has_one_task_and_two_runs_have_two() {
    let job = name("report");
    let other = DeploymentId::new(Uuid::from_u128(7));
    let order = EventId::new(Uuid::from_u128(8));
    let all = [
        (deployment(), "report", 1, RunCause::Slot(at(1))),
        (other, "report", 1, RunCause::Slot(at(1))),
        (deployment(), "reports", 1, RunCause::Slot(at(1))),
        (deployment(), "report", 2, RunCause::Slot(at(1))),
        (deployment(), "report", 1, RunCause::Slot(at(2))),
        (deployment(), "report", 1, RunCause::Ordered(order)),
        (deployment(), "report", 1, triggered(5, 8)),
        (deployment(), "report", 1, triggered(6, 8)),
        (deployment(), "report", 1, RunCause::Retried(task())),
        (deployment(), "report", 1, RunCause::After(task())),
    ];
    let of = |(deployment, job, version, cause): (_, &str, _, _)| {
        TaskId::of_run(deployment, &name(job), version, cause)
    };
    let mut ids: Vec<_> = all.into_iter().map(of).collect();
    assert_eq!(ids[0], TaskId::of_run(deployment(), &job, 1, all[0].3));
    assert!(ids.iter().all(|id| id.is_of_run()) && !task().is_of_run());
    assert_eq!(ids[0].to_string().parse(), Ok(ids[0]));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
}

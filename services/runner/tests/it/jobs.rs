//! Tests grants of runs of jobs: only the job that the owner signed, under its contract, runs anything.

use bus_schema::{
    Deployment, Digest, JobName, JobRevoked, JobSigned, Owner, RefusalCode, RunCause, RunDue,
    Scheduler, TaskId,
};

use crate::core::{claimed, declined};
use crate::stream::{START, Stream, contract, deployment, draft, other_content};

const CAUSE: RunCause = RunCause::Slot(START);

fn job() -> JobName {
    "j".parse().expect("a name")
}

fn sign(stream: &mut Stream, version: u32, contract: Digest) {
    let fact = JobSigned {
        job: job(),
        version,
        contract,
        document: other_content(),
        playbook: other_content(),
        slots: None,
    };
    assert!(stream.say::<Owner, _>(Deployment, fact));
}

fn due(stream: &mut Stream, version: u32) {
    let fact = RunDue {
        job: job(),
        version,
        cause: CAUSE,
        messages: Vec::new(),
    };
    assert!(stream.say::<Scheduler, _>(Deployment, fact));
}

/// Grants a call of the run of version 1, without a submission.
fn grant(stream: &mut Stream) {
    let mut granted = draft(1, "file.write");
    granted.task = TaskId::of_run(deployment(), &job(), 1, CAUSE);
    stream.submitted.insert(granted.task);
    stream.ready(granted);
}

#[test]
fn a_run_of_a_job_that_the_owner_signed_runs() {
    let mut stream = Stream::new();
    sign(&mut stream, 1, contract());
    due(&mut stream, 1);
    // A newer version changes nothing of a run that was due before.
    sign(&mut stream, 2, Digest::ZERO);
    grant(&mut stream);
    assert_eq!(stream.wants(), claimed(1));
}

#[test]
fn a_run_that_is_not_due_or_of_another_job_or_contract_runs_nothing() {
    let nothing: [fn(&mut Stream); 5] = [
        |stream| sign(stream, 1, contract()),
        |stream| due(stream, 1),
        |stream| {
            sign(stream, 1, Digest::ZERO);
            due(stream, 1);
        },
        |stream| {
            sign(stream, 2, contract());
            due(stream, 1);
        },
        |stream| {
            sign(stream, 1, contract());
            let (job, version) = (job(), 1);
            assert!(stream.say::<Owner, _>(Deployment, JobRevoked { job, version }));
            due(stream, 1);
        },
    ];
    for before in nothing {
        let mut stream = Stream::new();
        before(&mut stream);
        grant(&mut stream);
        assert_eq!(stream.wants(), declined(1, RefusalCode::BadStatement));
    }
}

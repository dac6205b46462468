//! Messages from outside start the jobs that the owner gave to them, each message once.

use actor::Core as _;
use bus_schema::{
    Deployment, Digest, JobPaused, JobResumed, Owner, RunCause, Salt, Sealed, TaskId,
};
use scheduler::{Input, RUNS_MAX, TriggerMessage};

use crate::stream::{Scene, at, deployment, name};

const ON: &str = "trigger = \"cli.build\"";

/// A message at a place, of a subject and with an id, stored at a second.
fn message(scene: &mut Scene, seq: u64, (subject, id): (&str, u8), second: u64) {
    let sealed = Sealed::new(Salt::new([seq as u8; 32]), b"{}").expect("a small content");
    let trigger = TriggerMessage {
        seq,
        subject: subject.to_owned(),
        key: Digest::of(&[&[id]]),
        stored: at(second),
    };
    scene.core.input(Input::Triggered(trigger, sealed));
}

fn task(version: u32, cause: RunCause) -> TaskId {
    TaskId::of_run(deployment(), &name("j"), version, cause)
}

#[test]
fn a_message_starts_one_run_also_when_it_comes_again() {
    let mut scene = Scene::with("overlap = \"allow\"", ON);
    scene.run();
    message(&mut scene, 1, ("cli.build", 1), 1);
    assert_eq!(scene.run().len(), 1);
    assert_eq!(scene.took, [1]);
    // The same message at another place, and after a restart before it was acknowledged.
    message(&mut scene, 2, ("cli.build", 1), 2);
    assert!(scene.run().is_empty());
    scene.restart(3);
    message(&mut scene, 1, ("cli.build", 1), 1);
    assert!(scene.run().is_empty());
    message(&mut scene, 3, ("cli.build", 2), 4);
    assert_eq!(scene.run().len(), 1);
    assert_eq!(scene.took, [1, 2, 1, 3]);
    assert_eq!(scene.core.open(), 2);
}

#[test]
fn a_message_that_no_job_wants_or_from_before_its_signature_starts_nothing() {
    let mut scene = Scene::with("", ON);
    scene.run();
    message(&mut scene, 1, ("cli.other", 1), 5);
    message(&mut scene, 2, ("cli.build", 2), 0);
    assert!(scene.run().is_empty());
    scene.log.now = at(10);
    let job = || name("j");
    scene.say::<Owner, _>(Deployment, JobPaused { job: job() });
    message(&mut scene, 3, ("cli.build", 3), 11);
    assert!(scene.run().is_empty());
    scene.log.now = at(20);
    scene.say::<Owner, _>(Deployment, JobResumed { job: job() });
    message(&mut scene, 4, ("cli.build", 4), 15);
    assert!(scene.run().is_empty());
    message(&mut scene, 5, ("cli.build", 5), 21);
    assert_eq!(scene.run().len(), 1);
    assert_eq!(scene.took, [1, 2, 3, 4, 5]);
}

#[test]
fn messages_during_a_run_are_passed_over_or_wait_for_its_end() {
    for (overlap, later) in [("skip", 0), ("queue", 1)] {
        let mut scene = Scene::with(&format!("overlap = \"{overlap}\""), ON);
        scene.run();
        message(&mut scene, 1, ("cli.build", 1), 1);
        let first = scene.run();
        message(&mut scene, 2, ("cli.build", 2), 2);
        message(&mut scene, 3, ("cli.build", 3), 3);
        assert!(scene.run().is_empty(), "{overlap}");
        scene.finish(task(1, first[0]));
        assert_eq!(scene.run().len(), later, "{overlap}");
        let done = if later == 0 { 3 } else { 2 };
        assert_eq!(scene.took.len(), done, "{overlap}");
    }
}

#[test]
fn a_flood_of_messages_has_a_bounded_number_of_runs() {
    let mut scene = Scene::with("overlap = \"allow\"", ON);
    scene.run();
    for n in 1..=40 {
        message(&mut scene, n, ("cli.build", n as u8), n);
    }
    let all = scene.run();
    assert_eq!((all.len(), scene.core.open()), (RUNS_MAX, RUNS_MAX));
    scene.finish(task(1, all[0]));
    assert_eq!(scene.run().len(), 1);
}

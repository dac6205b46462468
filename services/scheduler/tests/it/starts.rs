//! A job that runs at the start of the deployment has one run for each start, also if the scheduler starts again.

use bus_schema::testing::{event_id, started};
use bus_schema::{
    Audit, Deployment, EventId, Gateway, JobPaused, JobResumed, Owner, Policy, RunCause, Runner,
    Scheduler, Worker,
};

use crate::stream::{Scene, at, name, run};

const START: &str = "start = true";

/// The deployment starts; returns the event with which its start is complete.
fn start(scene: &mut Scene) -> EventId {
    scene.say::<Audit, _>(Deployment, started());
    scene.say::<Policy, _>(Deployment, started());
    scene.say::<Runner, _>(Deployment, started());
    scene.say::<Worker, _>(Deployment, started());
    scene.say::<Scheduler, _>(Deployment, started());
    scene.say::<Gateway, _>(Deployment, started());
    event_id(scene.log.seq)
}

#[test]
fn each_start_is_one_run_and_a_restart_of_the_scheduler_is_none() {
    let mut scene = Scene::with("", START);
    assert_eq!(scene.run(), []);
    for second in [10, 20] {
        scene.log.now = at(second);
        let start = start(&mut scene);
        assert_eq!(scene.run(), [RunCause::Started(start)]);
        scene.log.now = at(second + 5);
        scene.finish(run(1, RunCause::Started(start)));
        scene.say::<Scheduler, _>(Deployment, started());
        assert_eq!(scene.run(), []);
        scene.restart(second + 6);
        scene.say::<Scheduler, _>(Deployment, started());
        assert_eq!(scene.run(), []);
    }
}

#[test]
fn a_start_that_no_scheduler_said_is_said_after_its_restart() {
    let mut scene = Scene::with("", START);
    scene.run();
    scene.log.now = at(10);
    let start = start(&mut scene);
    scene.restart(100);
    assert_eq!(scene.run(), [RunCause::Started(start)]);
}

#[test]
fn a_start_before_the_signature_or_in_a_pause_or_a_run_is_passed_over() {
    let mut scene = Scene::new();
    start(&mut scene);
    scene.log.now = at(1);
    scene.sign(1, "", START);
    assert_eq!(scene.run(), []);
    let job = || name("j");
    scene.say::<Owner, _>(Deployment, JobPaused { job: job() });
    scene.log.now = at(2);
    start(&mut scene);
    scene.log.now = at(3);
    scene.say::<Owner, _>(Deployment, JobResumed { job: job() });
    assert_eq!(scene.run(), []);
    scene.log.now = at(4);
    let first = RunCause::Started(start(&mut scene));
    assert_eq!(scene.run(), [first]);
    scene.log.now = at(5);
    start(&mut scene);
    assert_eq!(scene.run(), []);
    scene.log.now = at(6);
    scene.finish(run(1, first));
    assert_eq!(scene.run(), []);
}

#[test]
fn a_start_during_a_run_waits_for_its_end_if_the_job_says_so() {
    let mut scene = Scene::with("overlap = \"queue\"", START);
    scene.log.now = at(1);
    let first = RunCause::Started(start(&mut scene));
    assert_eq!(scene.run(), [first]);
    scene.log.now = at(2);
    let second = RunCause::Started(start(&mut scene));
    assert_eq!(scene.run(), []);
    scene.finish(run(1, first));
    assert_eq!(scene.run(), [second]);
}

//! Checks that a run at the start of the deployment is admitted only if the record has that start.

use bus_schema::testing::{event_id, started};
use bus_schema::{
    Audit, Deployment, EventId, Gateway, Policy, RunCause, Runner, Scheduler, Worker,
};

use crate::runs::{at, job, say_due, with_job};
use crate::world::{World, words};

const RULES: &str = "principal = [\"session\", \"job:j\"]\n[[allow]]\ntool = \"t.any\"\n";

fn world(when: &str) -> World {
    let document = format!(
        "job = \"j\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n[when]\n{when}\n"
    );
    with_job(RULES, &document).0
}

/// The deployment starts; returns the event with which its start is complete.
fn start(world: &mut World) -> EventId {
    world.say::<Audit, _>(Deployment, started());
    world.say::<Policy, _>(Deployment, started());
    world.say::<Runner, _>(Deployment, started());
    world.say::<Worker, _>(Deployment, started());
    world.say::<Gateway, _>(Deployment, started());
    world.say::<Scheduler, _>(Deployment, started());
    event_id(world.log.seq)
}

fn due(world: &mut World, start: EventId) -> Vec<String> {
    say_due(world, job(), 1, RunCause::Started(start));
    words(&world.turn())
}

#[test]
fn each_start_after_the_signature_is_one_task() {
    let mut world = world("start = true");
    world.log.now = at(10);
    for _ in 0..2 {
        let start = start(&mut world);
        assert_eq!(due(&mut world, start), ["admitted"]);
        world.rebuild();
        assert_eq!(due(&mut world, start), ["not admitted: Reused"]);
    }
}

#[test]
fn a_stolen_scheduler_makes_no_start() {
    let mut world = world("start = true");
    world.log.now = at(10);
    let no = ["not admitted: NoRun"];
    assert_eq!(due(&mut world, event_id(1)), no);
    for _ in 0..9 {
        world.say::<Scheduler, _>(Deployment, started());
        let own = event_id(world.log.seq);
        assert_eq!(due(&mut world, own), no);
    }
}

#[test]
fn a_start_is_no_run_of_another_job_or_of_one_that_was_signed_later() {
    let mut world = world("every = \"10m\"");
    world.log.now = at(10);
    let start = start(&mut world);
    assert_eq!(due(&mut world, start), ["not admitted: NoRun"]);
}

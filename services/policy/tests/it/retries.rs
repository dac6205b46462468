//! Checks that a run is tried again only as its job says, and that policy alone stops runs, at their deadlines and for later ones.

use bus_schema::{
    AuthorId, ContractRevoked, Deployment, Digest, JobName, Owner, Policy, RunCause, TaskAdmitted,
    TaskFinished, TaskId, TaskOutcome, Worker,
};

use crate::runs::{at, job, say_due, sign_job, with_job};
use crate::world::{World, deployment, words};

const RULES: &str = "principal = [\"session\", \"job:j\"]\n[[allow]]\ntool = \"t.any\"\n";

/// A world in which the owner signed a job of each ten minutes, with these lines.
fn world(lines: &str) -> (World, Digest) {
    let document = format!(
        "job = \"j\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n{lines}\n[when]\nevery = \"10m\"\n"
    );
    with_job(RULES, &document)
}

fn due(world: &mut World, cause: RunCause) -> Vec<String> {
    say_due(world, job(), 1, cause);
    words(&world.turn())
}

fn slot(world: &mut World, second: u64) -> Vec<String> {
    world.log.now = at(second);
    due(world, RunCause::Slot(at(second)))
}

fn task(cause: RunCause) -> TaskId {
    TaskId::of_run(deployment(), &job(), 1, cause)
}

fn of_slot(second: u64) -> TaskId {
    task(RunCause::Slot(at(second)))
}

fn ends(world: &mut World, task: TaskId, outcome: TaskOutcome) {
    let detail = None;
    world.say::<Worker, _>(task, TaskFinished { outcome, detail });
}

/// Lets the time pass to a second, and returns what policy says.
fn at_second(world: &mut World, second: u64) -> Vec<String> {
    world.log.now = at(second);
    words(&world.turn())
}

#[test]
fn a_failed_run_is_tried_again_at_its_time_and_not_more_often_than_the_job_says() {
    let (mut world, _) = world("retry = { attempts = 2, backoff = \"1m\" }");
    assert_eq!(slot(&mut world, 600), ["admitted"]);
    let retry = RunCause::Retried(of_slot(600));
    // It goes on; it has not failed.
    assert_eq!(due(&mut world, retry), ["not admitted: NoRun"]);
    assert_eq!(slot(&mut world, 1_200), ["admitted"]);
    ends(&mut world, of_slot(1_200), TaskOutcome::Failed);
    let retry = RunCause::Retried(of_slot(1_200));
    assert_eq!(due(&mut world, retry), [] as [&str; 0]);
    assert_eq!(at_second(&mut world, 1_259), [] as [&str; 0]);
    assert_eq!(at_second(&mut world, 1_260), ["admitted"]);
    assert_eq!(due(&mut world, retry), ["not admitted: Reused"]);
    world.rebuild();
    ends(&mut world, task(retry), TaskOutcome::Failed);
    world.log.now = at(1_700);
    let third = RunCause::Retried(task(retry));
    assert_eq!(due(&mut world, third), ["not admitted: NoRun"]);
}

#[test]
fn a_run_that_did_not_fail_and_one_of_a_job_without_attempts_are_not_tried_again() {
    for (lines, outcome) in [
        ("retry = { attempts = 2 }", TaskOutcome::Succeeded),
        ("retry = { attempts = 2 }", TaskOutcome::Cancelled),
        ("", TaskOutcome::Failed),
    ] {
        let (mut world, _) = world(lines);
        assert_eq!(slot(&mut world, 600), ["admitted"]);
        ends(&mut world, of_slot(600), outcome);
        world.log.now = at(1_000);
        let retry = RunCause::Retried(of_slot(600));
        assert_eq!(due(&mut world, retry), ["not admitted: NoRun"], "{lines}");
    }
}

#[test]
fn a_run_is_stopped_at_its_deadline_and_nothing_more_of_it_is_granted() {
    let (mut world, _) = world("deadline = \"2m\"\nretry = { attempts = 2, backoff = \"1m\" }");
    assert_eq!(slot(&mut world, 600), ["admitted"]);
    world.propose(of_slot(600), 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    assert_eq!(at_second(&mut world, 719), [] as [&str; 0]);
    world.restart();
    assert_eq!(at_second(&mut world, 720), ["stopped: Deadline"]);
    assert_eq!(at_second(&mut world, 900), [] as [&str; 0]);
    world.propose(of_slot(600), 2);
    assert_eq!(words(&world.turn()), ["Cancelled"]);
    ends(&mut world, of_slot(600), TaskOutcome::Cancelled);
    world.log.now = at(1_000);
    assert_eq!(
        due(&mut world, RunCause::Retried(of_slot(600))),
        ["admitted"]
    );
}

#[test]
fn a_run_that_was_admitted_after_the_end_of_its_contract_ends() {
    let (mut world, contract) = world("deadline = \"2m\"");
    world.log.now = at(600);
    say_due(&mut world, job(), 1, RunCause::Slot(at(600)));
    world.say::<Owner, _>(Deployment, ContractRevoked { contract });
    let admitted = TaskAdmitted {
        contract,
        playbook: world.put(AuthorId::Owner, b"playbook"),
        slots: None,
        session: None,
        dialogue: None,
        job: Some(job()),
        of_message: false,
    };
    world.say::<Policy, _>(of_slot(600), admitted);
    assert_eq!(at_second(&mut world, 719), [] as [&str; 0]);
    assert_eq!(at_second(&mut world, 720), ["stopped: Deadline"]);
    ends(&mut world, of_slot(600), TaskOutcome::Cancelled);
    assert_eq!(at_second(&mut world, 900), [] as [&str; 0]);
    world.rebuild();
}

#[test]
fn a_later_run_takes_the_place_of_the_one_that_goes_on_after_its_end() {
    let (mut world, contract) = world("overlap = \"cancel\"");
    let person = world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
    assert_eq!(slot(&mut world, 600), ["admitted"]);
    // A slot that the job does not have stops nothing.
    world.log.now = at(1_100);
    let none = due(&mut world, RunCause::Slot(at(1_000)));
    assert_eq!(none, ["not admitted: NoRun"]);
    assert_eq!(slot(&mut world, 1_200), ["stopped: Replaced"]);
    assert_eq!(at_second(&mut world, 1_210), [] as [&str; 0]);
    ends(&mut world, of_slot(600), TaskOutcome::Cancelled);
    assert_eq!(words(&world.turn()), ["admitted"]);
    world.propose(person, 1);
    world.propose(of_slot(1_200), 1);
    assert_eq!(words(&world.turn()), ["granted", "granted"]);
}

#[test]
fn a_run_that_tries_again_waits_for_the_one_that_goes_on() {
    let (mut world, _) = world("overlap = \"cancel\"\nretry = { attempts = 2, backoff = \"1m\" }");
    assert_eq!(slot(&mut world, 600), ["admitted"]);
    ends(&mut world, of_slot(600), TaskOutcome::Failed);
    assert_eq!(slot(&mut world, 1_200), ["admitted"]);
    let retry = RunCause::Retried(of_slot(600));
    assert_eq!(due(&mut world, retry), [] as [&str; 0]);
    ends(&mut world, of_slot(1_200), TaskOutcome::Succeeded);
    assert_eq!(words(&world.turn()), ["admitted"]);
}

#[test]
fn a_job_runs_after_another_only_as_that_one_ended() {
    let (mut world, contract) = world("");
    let document = "job = \"k\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n[when]\nafter = { job = \"j\" }\n";
    let k: JobName = "k".parse().expect("a name");
    sign_job(&mut world, k.clone(), (1, contract), document);
    let after = |world: &mut World, of: TaskId| {
        say_due(world, k.clone(), 1, RunCause::After(of));
        words(&world.turn())
    };
    for (second, outcome, wanted) in [
        (600, TaskOutcome::Failed, "not admitted: NoRun"),
        (1_200, TaskOutcome::Succeeded, "admitted"),
    ] {
        assert_eq!(slot(&mut world, second), ["admitted"]);
        ends(&mut world, of_slot(second), outcome);
        assert_eq!(after(&mut world, of_slot(second)), [wanted]);
    }
    assert_eq!(after(&mut world, of_slot(1_200)), ["not admitted: Reused"]);
    assert_eq!(after(&mut world, of_slot(1_800)), ["not admitted: NoRun"]);
    // The other job has slots, and runs after nothing.
    let none = due(&mut world, RunCause::After(of_slot(1_200)));
    assert_eq!(none, ["not admitted: NoRun"]);
}

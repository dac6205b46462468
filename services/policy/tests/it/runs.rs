//! Checks that a run of a job is admitted only if the owner signed the job, and the job has such a run now; and that jobs have
//! fewer rights than people.

use bus_schema::testing::event_id;
use bus_schema::{
    AuthorId, Deployment, Digest, JobName, JobPaused, JobResumed, JobRevoked, JobSigned, Owner,
    PolicyFact, RunCause, RunDue, RunOrdered, Scheduler, TaskId, Time,
};

use crate::world::{START, World, deployment, words};

/// A contract for the job `j`.
const RULES: &str = "principal = [\"session\", \"job:j\"]\n[[allow]]\ntool = \"t.any\"\n\
    [[allow]]\ntool = \"pay.send\"\nwhere.currency = \"EUR\"\n";
const PAY: &str = r#"{"amount":1,"currency":"EUR","to":"a"}"#;
const EVERY: &str = "every = \"10m\"";

pub(crate) fn job() -> JobName {
    "j".parse().expect("a name")
}

/// The moment some seconds after the signature of the job, in whole seconds.
pub(crate) fn at(second: u64) -> Time {
    START.plus_ms(second * 1_000)
}

/// A world in which the owner signed a contract with these rules, and version 1 of the job.
pub(crate) fn with_job(rules: &str, document: &str) -> (World, Digest) {
    let mut world = World::new();
    let contract = world.sign(rules);
    assert_eq!(words(&world.turn()), ["activated"]);
    sign(&mut world, 1, contract, document);
    (world, contract)
}

fn world(when: &str) -> (World, Digest) {
    with_job(RULES, &document("c", when))
}

fn document(contract: &str, when: &str) -> String {
    format!(
        "job = \"j\"\npurpose = \"x\"\ncontract = \"{contract}\"\nplaybook = \"p\"\n[when]\n{when}\n"
    )
}

fn sign(world: &mut World, version: u32, contract: Digest, document: &str) {
    sign_job(world, job(), (version, contract), document);
}

/// The owner signs a version of a job.
pub(crate) fn sign_job(
    world: &mut World,
    job: JobName,
    (version, contract): (u32, Digest),
    document: &str,
) {
    let fact = JobSigned {
        job,
        version,
        contract,
        document: world.put(AuthorId::Owner, document.as_bytes()),
        playbook: world.put(AuthorId::Owner, b"playbook"),
        slots: None,
    };
    world.say::<Owner, _>(Deployment, fact);
}

/// Says that a run is due.
pub(crate) fn say_due(world: &mut World, job: JobName, version: u32, cause: RunCause) {
    let fact = RunDue {
        job,
        version,
        cause,
        messages: Vec::new(),
    };
    world.say::<Scheduler, _>(Deployment, fact);
}

/// Says that a run is due, and returns its verdict.
fn due(world: &mut World, version: u32, cause: RunCause) -> Vec<String> {
    say_due(world, job(), version, cause);
    words(&world.turn())
}

fn slot(world: &mut World, second: u64) -> Vec<String> {
    due(world, 1, RunCause::Slot(at(second)))
}

fn task(second: u64) -> TaskId {
    TaskId::of_run(deployment(), &job(), 1, RunCause::Slot(at(second)))
}

fn pass_to(world: &mut World, second: u64) {
    world.log.now = at(second);
}

#[test]
fn a_slot_of_a_signed_job_is_one_task_of_its_principal() {
    let (mut world, contract) = world(EVERY);
    pass_to(&mut world, 600);
    say_due(&mut world, job(), 1, RunCause::Slot(at(600)));
    let facts = world.turn();
    let [PolicyFact::TaskAdmitted(id, admitted)] = &facts[..] else {
        panic!("{facts:?}");
    };
    assert_eq!((*id, admitted.contract), (task(600), contract));
    assert_eq!((&admitted.job, admitted.session), (&Some(job()), None));
    assert_eq!(slot(&mut world, 600), ["not admitted: Reused"]);
    world.propose(task(600), 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
    assert_eq!(slot(&mut world, 600), ["not admitted: Reused"]);
}

#[test]
fn a_submission_with_the_id_of_a_run_counts_for_nothing() {
    let (mut world, contract) = world(EVERY);
    pass_to(&mut world, 600);
    world.submit_as(task(600), contract);
    assert_eq!(words(&world.turn()), [] as [&str; 0]);
    assert_eq!(slot(&mut world, 600), ["admitted"]);
}

#[test]
fn a_slot_that_the_job_does_not_have_is_rejected() {
    let (mut world, _) = world(EVERY);
    pass_to(&mut world, 1_300);
    // Between two slots, at the signature, and long before it.
    for second in [601, 0] {
        assert_eq!(
            slot(&mut world, second),
            ["not admitted: NoRun"],
            "{second}"
        );
    }
    let before = RunCause::Slot(Time::from_ns(at(0).ns() - 600_000_000_000));
    assert_eq!(due(&mut world, 1, before), ["not admitted: NoRun"]);
    let far = RunCause::Slot(at(600 * 600));
    assert_eq!(due(&mut world, 1, far), ["not admitted: NoRun"]);
    assert_eq!(slot(&mut world, 1_200), ["admitted"]);
    assert_eq!(slot(&mut world, 600), ["admitted"]);
}

#[test]
fn a_slot_that_is_not_due_yet_waits_for_its_time() {
    let (mut world, _) = world(EVERY);
    pass_to(&mut world, 590);
    assert!(slot(&mut world, 600).is_empty());
    pass_to(&mut world, 600);
    world.say::<Owner, _>(Deployment, bus_schema::HaltLifted {});
    assert_eq!(words(&world.turn()), ["admitted"]);
}

#[test]
fn a_job_that_is_not_in_force_has_no_runs() {
    let (mut world, contract) = world(EVERY);
    pass_to(&mut world, 600);
    let other = due(&mut world, 2, RunCause::Slot(at(600)));
    assert_eq!(other, ["not admitted: NoJob"]);
    world.say::<Owner, _>(Deployment, JobPaused { job: job() });
    assert_eq!(slot(&mut world, 600), ["not admitted: NoJob"]);
    pass_to(&mut world, 1_210);
    world.say::<Owner, _>(Deployment, JobResumed { job: job() });
    // The slots of the pause are gone.
    assert_eq!(slot(&mut world, 1_200), ["not admitted: NoRun"]);
    pass_to(&mut world, 1_800);
    assert_eq!(slot(&mut world, 1_800), ["admitted"]);
    let (job, version) = (job(), 1);
    world.say::<Owner, _>(Deployment, JobRevoked { job, version });
    pass_to(&mut world, 2_400);
    assert_eq!(slot(&mut world, 2_400), ["not admitted: NoJob"]);
    // A new version brings it back, from its signature on.
    sign(&mut world, 2, contract, &document("c", EVERY));
    pass_to(&mut world, 3_000);
    assert_eq!(due(&mut world, 2, RunCause::Slot(at(3_000))), ["admitted"]);
    world.rebuild();
}

#[test]
fn a_job_that_cannot_be_read_or_is_about_another_contract_has_no_runs() {
    let (mut world, contract) = world(EVERY);
    let other = document("c", EVERY).replace("\"j\"", "\"k\"");
    let broken = "no job";
    for (version, text) in [
        (2, document("d", EVERY)),
        (3, other),
        (4, broken.to_owned()),
    ] {
        sign(&mut world, version, contract, &text);
        pass_to(&mut world, u64::from(version) * 600);
        let cause = RunCause::Slot(at(u64::from(version) * 600));
        let said = due(&mut world, version, cause);
        assert_eq!(said, ["not admitted: InvalidJob"], "{text}");
    }
    let text = document("c", EVERY);
    sign(&mut world, 5, contract, &text);
    world.erase_bytes(text.as_bytes());
    pass_to(&mut world, 3_600);
    let said = due(&mut world, 5, RunCause::Slot(at(3_600)));
    assert_eq!(said, ["not admitted: InvalidJob"]);
}

#[test]
fn an_order_of_the_owner_is_one_run() {
    let (mut world, _) = world(EVERY);
    let forged = RunCause::Ordered(event_id(7));
    assert_eq!(due(&mut world, 1, forged), ["not admitted: NoRun"]);
    let (job, version) = (job(), 1);
    world.say::<Owner, _>(
        Deployment,
        RunOrdered {
            job,
            version,
            again: None,
        },
    );
    let order = RunCause::Ordered(event_id(world.log.seq));
    assert_eq!(due(&mut world, 1, order), ["admitted"]);
    assert_eq!(due(&mut world, 1, order), ["not admitted: Reused"]);
}

fn triggered(world: &mut World, key: u8, body: &[u8]) -> RunCause {
    RunCause::Triggered {
        key: Digest::of(&[&[key]]),
        body: world.put(AuthorId::Scheduler, body),
    }
}

#[test]
fn a_message_is_one_run_of_a_job_that_the_owner_gave_to_messages() {
    let (mut world, contract) = world(EVERY);
    let cause = triggered(&mut world, 1, b"x");
    assert_eq!(due(&mut world, 1, cause), ["not admitted: NoRun"]);
    sign(
        &mut world,
        2,
        contract,
        &document("c", "trigger = \"cli.build\""),
    );
    assert_eq!(due(&mut world, 2, cause), ["admitted"]);
    let again = triggered(&mut world, 1, b"something else");
    assert_eq!(due(&mut world, 2, again), ["not admitted: Reused"]);
    let another = triggered(&mut world, 2, b"x");
    assert_eq!(due(&mut world, 2, another), ["admitted"]);
    let slot = RunCause::Slot(at(600));
    pass_to(&mut world, 600);
    assert_eq!(due(&mut world, 2, slot), ["not admitted: NoRun"]);
}

#[test]
fn a_replaced_contract_ends_the_runs_of_its_jobs() {
    let (mut world, _) = world(EVERY);
    let text = crate::text(RULES).replace("version = 1", "version = 2");
    world.sign_text(&text);
    assert_eq!(words(&world.turn()), ["activated"]);
    pass_to(&mut world, 600);
    assert_eq!(slot(&mut world, 600), ["not admitted: NoContract"]);
}

#[test]
fn a_contract_for_people_gives_a_job_nothing() {
    let mut world = World::new();
    let contract = world.sign("[[allow]]\ntool = \"t.any\"");
    assert_eq!(words(&world.turn()), ["activated"]);
    sign(&mut world, 1, contract, &document("c", EVERY));
    pass_to(&mut world, 600);
    assert_eq!(slot(&mut world, 600), ["admitted"]);
    world.propose(task(600), 1);
    assert_eq!(words(&world.turn()), ["NoContract"]);
}

#[test]
fn a_job_may_not_use_a_tool_of_high_risk_whatever_its_contract_says() {
    let (mut world, contract) = world(EVERY);
    pass_to(&mut world, 600);
    assert_eq!(slot(&mut world, 600), ["admitted"]);
    world.propose_json(task(600), "pay.send", PAY.as_bytes());
    assert_eq!(words(&world.turn()), ["JobTool"]);
    // The same call of a person is granted.
    let task = world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
    world.propose_json(task, "pay.send", PAY.as_bytes());
    assert_eq!(words(&world.turn()), ["granted"]);
}

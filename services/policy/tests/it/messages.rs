//! Checks that a message fills only the slots that the owner gave to messages, within the bounds of the contract, and that its
//! values are nobody's word.

use bus_schema::{
    AuthorId, Deployment, Digest, PolicyFact, RunCause, RunDue, Scheduler, TaskId, batch_key,
};
use job::batch_of;

use crate::runs::{job, say_due, with_job};
use crate::world::{World, deployment, words};

/// A contract with a slot that messages fill, and an outward tool that takes it.
const RULES: &str = r#"principal = ["session", "job:j"]

[slots.to]
kind = "email"
is = { email = { domain = "x.example" } }

[[allow]]
name = "mail"
tool = "mail.send"
where.to = { from = { slot = "to" } }
where.body = "hi"
"#;
const CALL: &[u8] = br#"{"body":"hi","to":"b@x.example"}"#;

/// A world with a job that messages start, with these lines behind its `[when]`.
fn world(lines: &str) -> (World, Digest) {
    let document = format!(
        "job = \"j\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n[when]\ntrigger = \"cli.build\"\n[message]\n{lines}\n"
    );
    with_job(RULES, &document)
}

/// Says that a message started a run, and returns its task.
fn triggered(world: &mut World, key: Digest, body: &str) -> TaskId {
    let cause = RunCause::Triggered {
        key,
        body: world.put(AuthorId::Scheduler, body.as_bytes()),
    };
    say_due(world, job(), 1, cause);
    TaskId::of_run(deployment(), &job(), 1, cause)
}

fn said(world: &mut World, body: &str) -> Vec<String> {
    let key = Digest::of(&[body.as_bytes()]);
    triggered(world, key, body);
    words(&world.turn())
}

#[test]
fn a_message_fills_slots_within_the_bounds_of_the_contract() {
    let (mut world, _) = world("slots.to = \"data.to\"");
    assert_eq!(
        said(&mut world, r#"{"data": {"to": "b@y.example"}}"#),
        ["not admitted: Slots"]
    );
    assert_eq!(
        said(&mut world, r#"{"data": {"to": "x"}}"#),
        ["not admitted: Slots"]
    );
    assert_eq!(said(&mut world, r#"{"data": {}}"#), ["not admitted: NoRun"]);
    assert_eq!(said(&mut world, "no JSON"), ["not admitted: NoRun"]);
    triggered(
        &mut world,
        Digest::ZERO,
        r#"{"data": {"to": "b@x.example"}}"#,
    );
    let facts = world.turn();
    let [PolicyFact::TaskAdmitted(_, admitted)] = &facts[..] else {
        panic!("{facts:?}");
    };
    assert!(admitted.of_message);
    let slots = admitted.slots.expect("the values");
    let stored = world.log.get(AuthorId::Policy, slots);
    assert_eq!(stored.as_deref(), Some(&br#"{"to":"b@x.example"}"#[..]));
}

#[test]
fn what_a_message_filled_in_determines_nothing() {
    let (mut world, contract) = world("slots.to = \"to\"");
    let run = triggered(&mut world, Digest::ZERO, r#"{"to": "b@x.example"}"#);
    assert_eq!(words(&world.turn()), ["admitted"]);
    world.rebuild();
    // The same value from the owner is enough for the same call.
    let task = world.submit_filled(contract, br#"{"to":"b@x.example"}"#);
    assert_eq!(words(&world.turn()), ["admitted"]);
    for (task, wanted) in [(run, "asked"), (task, "granted")] {
        world.propose_json(task, "mail.send", CALL);
        assert_eq!(words(&world.turn()), [wanted]);
    }
}

#[test]
fn a_condition_and_a_key_hold_for_policy_too() {
    let (mut world, _) = world("slots.to = \"to\"\nkey = \"id\"\nonly.ref = { prefix = \"re\" }");
    let body = r#"{"to": "b@x.example", "id": 5, "ref": "refs"}"#;
    assert_eq!(said(&mut world, body), ["not admitted: NoRun"]);
    let key = Digest::of(&[b"field ", b"cli.build", b" ", b"id", b" ", b"5"]);
    triggered(&mut world, key, &body.replace("refs", "main"));
    assert_eq!(words(&world.turn()), ["not admitted: NoRun"]);
    let again = r#"{"to": "a@x.example", "id": 5, "ref": "refs"}"#;
    triggered(&mut world, key, again);
    // The same key was said before.
    assert_eq!(words(&world.turn()), ["not admitted: Reused"]);
    let key = Digest::of(&[b"field ", b"cli.build", b" ", b"id", b" ", b"6"]);
    triggered(&mut world, key, &body.replace('5', "6"));
    assert_eq!(words(&world.turn()), ["admitted"]);
}

/// Says that these messages started a run together, under their keys, and returns the verdict.
fn together(world: &mut World, keys: &[Digest], bodies: &[&str]) -> Vec<String> {
    let bodies: Vec<_> = bodies.iter().map(|body| body.as_bytes()).collect();
    let fact = RunDue {
        job: job(),
        version: 1,
        cause: RunCause::Triggered {
            key: batch_key(keys),
            body: world.put(AuthorId::Scheduler, &batch_of(&bodies)),
        },
        messages: keys.to_vec(),
    };
    world.say::<Scheduler, _>(Deployment, fact);
    words(&world.turn())
}

#[test]
fn policy_counts_and_reads_each_message_of_a_run_again() {
    let (mut world, _) = world(
        "slots.to = \"to\"\nkey = \"id\"\nonly.ref = \"main\"\nbatch = { messages = 2, wait = \"1m\" }",
    );
    let body = |id: u8, to: &str, of: &str| {
        format!(r#"{{"to": "{to}@x.example", "id": {id}, "ref": "{of}"}}"#)
    };
    let key = |id: u8| {
        let id = id.to_string();
        Digest::of(&[b"field ", b"cli.build", b" ", b"id", b" ", id.as_bytes()])
    };
    let (a, b) = (body(1, "a", "main"), body(2, "a", "main"));
    let none = ["not admitted: NoRun"];
    // Another key, one message for two keys, one message twice, one more than the job takes, and none.
    assert_eq!(together(&mut world, &[key(1), key(3)], &[&a, &b]), none);
    assert_eq!(together(&mut world, &[key(1), key(4)], &[&a]), none);
    assert_eq!(together(&mut world, &[key(1), key(1)], &[&a, &a]), none);
    let c = body(3, "a", "main");
    let three = [key(1), key(2), key(3)];
    assert_eq!(together(&mut world, &three, &[&a, &b, &c]), none);
    assert_eq!(together(&mut world, &[], &[]), none);
    // One that a condition leaves out, and two that fill the slot with different values.
    let out = body(5, "a", "other");
    assert_eq!(together(&mut world, &[key(1), key(5)], &[&a, &out]), none);
    let other = body(6, "b", "main");
    assert_eq!(together(&mut world, &[key(1), key(6)], &[&a, &other]), none);
    // A single message in its own bytes is no run of such a job.
    assert_eq!(said(&mut world, &a), none);
    let two = [key(1), key(2)];
    assert_eq!(together(&mut world, &two, &[&a, &b]), ["admitted"]);
    assert_eq!(
        together(&mut world, &two, &[&a, &b]),
        ["not admitted: Reused"]
    );
    assert_eq!(
        together(&mut world, &[key(7)], &[&body(7, "a", "main")]),
        ["admitted"]
    );
}

#[test]
fn several_messages_are_no_run_of_a_job_that_takes_them_one_by_one() {
    let (mut world, _) = world("slots.to = \"to\"");
    let body = r#"{"to": "a@x.example"}"#;
    let keys = [Digest::ZERO, Digest::of(&[b"a"])];
    assert_eq!(
        together(&mut world, &keys, &[body, body]),
        ["not admitted: NoRun"]
    );
}

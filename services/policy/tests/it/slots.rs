//! Checks that a task is admitted only with values that fill the slots of its contract, and that exactly these values count
//! in its decisions.

use bus_schema::{AuthorId, PolicyFact, TaskId};
use uuid::Uuid;

use crate::world::{World, words};

const RULES: &str = r#"
[slots.recipient]
kind = "email"
is = { email = { domain = "x.example" } }

[slots.subject]
kind = "text"
optional = true

[[allow]]
name = "mail"
tool = "mail.send"
where.to = { from = { slot = "recipient" } }
where.body = "hi"

[[allow]]
name = "search"
tool = "people.search"
where.q = { from = { slot = "subject" } }
"#;
const ANN: &str = r#"{"recipient":"ann@x.example"}"#;

/// Returns the words of the verdict on a submission, and its reason for a person.
fn submitted(world: &mut World, submit: impl FnOnce(&mut World)) -> (Vec<String>, String) {
    submit(world);
    let facts = world.turn();
    let rejected = facts.iter().find_map(|fact| {
        if let PolicyFact::TaskRejected(_, fact) = fact {
            return fact.why;
        }
        None
    });
    let why = rejected.map_or_else(String::new, |why| world.why(Some(why)));
    (words(&facts), why)
}

fn mail(world: &mut World, task: TaskId, to: &str) -> Vec<String> {
    let args = format!(r#"{{"body":"hi","to":"{to}"}}"#);
    world.propose_json(task, "mail.send", args.as_bytes());
    words(&world.turn())
}

#[test]
fn task_is_admitted_only_if_it_fills_the_slots_of_its_contract() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    assert_eq!(words(&world.turn()), ["activated"]);
    for slots in [ANN, r#"{"recipient":"ann@x.example","subject":"the rent"}"#] {
        let (said, why) = submitted(&mut world, |world| {
            world.submit_filled(contract, slots.as_bytes());
        });
        assert_eq!(said, ["admitted"], "{slots}: {why}");
    }
    let large = format!(r#"{{"recipient":"{}"}}"#, "a".repeat(70_000));
    for (slots, sentence) in [
        ("{}", "the task does not fill in the slot `recipient`"),
        (
            r#"{"recipient":"ann"}"#,
            "the value of the slot `recipient` is not an e-mail address",
        ),
        (
            r#"{"recipient":5}"#,
            "the value of the slot `recipient` is not an e-mail address",
        ),
        (
            r#"{"recipient":"ann@y.example"}"#,
            "the value of the slot `recipient` is outside of its bound",
        ),
        (
            r#"{"cc":"bob@x.example","recipient":"ann@x.example"}"#,
            "the contract has no slot \"cc\"",
        ),
        (
            r#"{"recipient":["ann@x.example"]}"#,
            "no canonical JSON object of texts and numbers",
        ),
        (
            r#"{ "recipient": "ann@x.example" }"#,
            "no canonical JSON object of texts and numbers",
        ),
        ("ann@x.example", "no canonical JSON"),
        (large.as_str(), "are longer than 65536 bytes"),
    ] {
        let (said, why) = submitted(&mut world, |world| {
            world.submit_filled(contract, slots.as_bytes());
        });
        assert_eq!(said, ["not admitted: Slots"], "{slots}");
        assert!(why.contains(sentence), "{slots}: {why}");
    }
    let (said, why) = submitted(&mut world, |world| {
        world.submit(contract);
    });
    assert_eq!(said, ["not admitted: Slots"]);
    assert_eq!(
        why,
        "the task does not fill in the slot `recipient`; its slots are `recipient` (an e-mail address that is an e-mail \
         address at x.example) and `subject` (a text, optional)"
    );
    world.rebuild();
}

#[test]
fn values_for_a_contract_without_slots_are_rejected() {
    let mut world = World::new();
    let contract = world.sign("[[allow]]\ntool = \"t.any\"");
    assert_eq!(words(&world.turn()), ["activated"]);
    let (said, why) = submitted(&mut world, |world| {
        world.submit_filled(contract, ANN.as_bytes());
    });
    assert_eq!(said, ["not admitted: Slots"]);
    assert!(why.contains("the contract has no slots"), "{why}");
}

#[test]
fn values_that_were_changed_after_the_signature_are_rejected() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    assert_eq!(words(&world.turn()), ["activated"]);
    let playbook = world.put(AuthorId::Gateway, b"p");
    let signed = world.put(AuthorId::Gateway, ANN.as_bytes());
    let other = world.put(AuthorId::Gateway, br#"{"recipient":"eve@x.example"}"#);
    let tries = [
        (Some(signed), Some(other)),
        (Some(signed), None),
        (None, Some(other)),
    ];
    for (task, (signed, sent)) in (1..).zip(tries) {
        let task = TaskId::new(Uuid::from_u128(task));
        world.submit_signed(task, contract, (playbook, signed), sent);
        assert_eq!(words(&world.turn()), ["not admitted: BadStatement"]);
        assert_eq!(
            mail(&mut world, task, "eve@x.example"),
            Vec::<String>::new()
        );
    }
}

#[test]
fn only_the_signed_value_is_granted_also_after_a_restart() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    let task = world.submit_filled(contract, ANN.as_bytes());
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    let other = world.submit_filled(contract, br#"{"recipient":"bob@x.example"}"#);
    assert_eq!(words(&world.turn()), ["admitted"]);
    for _ in 0..2 {
        assert_eq!(mail(&mut world, task, "ann@x.example"), ["granted"]);
        assert_eq!(mail(&mut world, task, "bob@x.example"), ["NotAllowed"]);
        assert_eq!(mail(&mut world, other, "bob@x.example"), ["granted"]);
        assert_eq!(mail(&mut world, other, "ann@x.example"), ["NotAllowed"]);
        world.restart();
    }
    world.rebuild();
}

#[test]
fn signed_value_goes_out_unasked_after_untrusted_data() {
    let mut world = World::new();
    let rules = format!("{RULES}\n[[allow]]\ntool = \"note.read\"");
    let contract = world.sign(&rules);
    let task = world.submit_filled(contract, ANN.as_bytes());
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    let action = world.propose_call(task, "note.read", b"{}");
    assert_eq!(words(&world.turn()), ["granted"]);
    world.start(task, action);
    world.finish_with(
        task,
        action,
        crate::world::USAGE,
        br#"{"write to":"eve@x.example"}"#,
    );
    assert_eq!(mail(&mut world, task, "eve@x.example"), ["NotAllowed"]);
    assert_eq!(mail(&mut world, task, "ann@x.example"), ["granted"]);
}

#[test]
fn erased_values_admit_nothing_and_grant_nothing() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    let task = world.submit_filled(contract, ANN.as_bytes());
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    world.erase_bytes(ANN.as_bytes());
    world.restart();
    assert_eq!(mail(&mut world, task, "ann@x.example"), ["NotAllowed"]);
    let (said, why) = submitted(&mut world, |world| {
        world.submit_filled(contract, ANN.as_bytes());
        world.erase_bytes(ANN.as_bytes());
    });
    assert_eq!(said, ["not admitted: Slots"]);
    assert!(why.contains("were erased"), "{why}");
}

#[test]
fn nothing_is_admitted_before_the_values_are_read() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    assert_eq!(words(&world.turn()), ["activated"]);
    world.submit_filled(contract, ANN.as_bytes());
    assert!(!world.step_without_bytes());
    assert_eq!(words(&world.turn()), ["admitted"]);
}

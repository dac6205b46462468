//! Checks policy's use of a task's history, from the record alone.

use bus_schema::{Digest, TaskId};
use uuid::Uuid;

use crate::world::{USAGE, World, granted, judged, words};

fn task_saying(world: &mut World, rules: &str, said: &str) -> TaskId {
    let contract = world.sign(rules);
    let task = TaskId::new(Uuid::from_u128(77));
    world.submit_saying(task, contract, said.as_bytes());
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    task
}

fn say(world: &mut World, task: TaskId, tool: &str, args: &str) -> Vec<String> {
    world.propose_json(task, tool, args.as_bytes());
    words(&world.turn())
}

/// Proposes a call and runs it with this output.
fn done(world: &mut World, task: TaskId, tool: &str, args: &str, output: &str) {
    world.propose_json(task, tool, args.as_bytes());
    let action = judged(&world.turn())[0];
    world.start(task, action);
    world.finish_with(task, action, USAGE, output.as_bytes());
}

#[test]
fn what_was_read_taints_what_leaves_until_the_task_ends() {
    let rules = "[[allow]]\ntool = \"*\"\nsecret = \"ask\"";
    let mut world = World::new();
    let task = task_saying(&mut world, rules, "go");
    let mail = r#"{"to":"a@b.example","body":"x"}"#;
    assert_eq!(say(&mut world, task, "mail.send", mail), ["granted"]);
    // A granted call has read nothing yet; a started call has.
    world.propose_json(task, "t.deep", b"{}");
    let facts = world.turn();
    let Some(fact) = granted(&facts).first().copied() else {
        panic!("{facts:?}");
    };
    let action = fact.grant.draft.action;
    assert_eq!(say(&mut world, task, "mail.send", mail), ["granted"]);
    world.start(task, action);
    assert_eq!(say(&mut world, task, "mail.send", mail), ["asked"]);
    world.restart();
    assert_eq!(say(&mut world, task, "mail.send", mail), ["asked"]);
    world.rebuild();
    assert_eq!(say(&mut world, task, "mail.send", mail), ["asked"]);
}

#[test]
fn secret_does_not_leave_without_a_word_in_the_contract() {
    let mut world = World::new();
    let task = task_saying(&mut world, "[[allow]]\ntool = \"*\"", "go");
    done(&mut world, task, "t.deep", "{}", "the secret");
    let mail = r#"{"to":"a@b.example","body":"x"}"#;
    assert_eq!(say(&mut world, task, "mail.send", mail), ["NotAllowed"]);
}

#[test]
fn value_comes_from_the_words_that_the_owner_signed() {
    let rules = "[[allow]]\ntool = \"mail.send\"\nwhere.to = { from = \"task\" }";
    let mut world = World::new();
    let task = task_saying(&mut world, rules, "Write to ann@b.example, please.");
    let to = |to: &str| format!(r#"{{"to":"{to}","body":"x"}}"#);
    assert_eq!(
        say(&mut world, task, "mail.send", &to("ann@b.example")),
        ["granted"]
    );
    assert_eq!(
        say(&mut world, task, "mail.send", &to("nn@b.example")),
        ["NotAllowed"]
    );
    world.restart();
    assert_eq!(
        say(&mut world, task, "mail.send", &to("ann@b.example")),
        ["granted"]
    );
}

#[test]
fn value_comes_from_a_recorded_result_and_not_from_an_erased_one() {
    let rules = "[[allow]]\ntool = \"t.free\"\n[[allow]]\ntool = \"mail.send\"\n\
                 where.to = { from = { tool = \"t.free\", field = \"found[].mail\" } }";
    let mut world = World::new();
    let task = task_saying(&mut world, rules, "go");
    let mail = r#"{"to":"a@b.example","body":"x"}"#;
    assert_eq!(say(&mut world, task, "mail.send", mail), ["NotAllowed"]);
    let result = r#"{"found":[{"mail":"c@b.example"},{"mail":"a@b.example"}]}"#;
    done(&mut world, task, "t.free", "{}", result);
    assert_eq!(say(&mut world, task, "mail.send", mail), ["granted"]);
    world.erase_bytes(result.as_bytes());
    assert_eq!(
        say(&mut world, task, "mail.send", mail),
        ["granted"],
        "it was read before"
    );
    world.restart();
    assert_eq!(say(&mut world, task, "mail.send", mail), ["NotAllowed"]);
}

#[test]
fn result_of_a_call_that_untrusted_data_chose_determines_nothing() {
    let rules = "[[allow]]\ntool = \"*\"\nexcept = [\"mail.send\"]\n[[allow]]\ntool = \"mail.send\"\nwhere.body = \"x\"\n\
                 where.to = { from = { tool = \"people.search\", field = \"results[].email\" } }";
    let mut world = World::new();
    let task = task_saying(&mut world, rules, "go");
    let found = |who: &str| format!(r#"{{"results":[{{"email":"{who}@b.example"}}]}}"#);
    let mail = |who: &str| format!(r#"{{"to":"{who}@b.example","body":"x"}}"#);
    done(
        &mut world,
        task,
        "people.search",
        r#"{"q":"ann"}"#,
        &found("ann"),
    );
    done(&mut world, task, "note.read", "{}", "anything");
    done(
        &mut world,
        task,
        "people.search",
        r#"{"q":"eve"}"#,
        &found("eve"),
    );
    let ways: [fn(&mut World); 3] = [|_| (), World::restart, World::rebuild];
    for again in ways {
        again(&mut world);
        assert_eq!(
            say(&mut world, task, "mail.send", &mail("ann")),
            ["granted"]
        );
        assert_eq!(say(&mut world, task, "mail.send", &mail("eve")), ["asked"]);
    }
}

#[test]
fn call_comes_after_one_with_the_same_argument() {
    let rules = "[[allow]]\ntool = \"t.free\"\n[[allow]]\ntool = \"t.any\"\n\
                 after = { tool = \"t.free\", equal = [\"n\"] }";
    let mut world = World::new();
    let task = task_saying(&mut world, rules, "go");
    done(&mut world, task, "t.free", r#"{"n":1}"#, "");
    assert_eq!(say(&mut world, task, "t.any", r#"{"n":2}"#), ["NotAllowed"]);
    assert_eq!(say(&mut world, task, "t.any", r#"{"n":1}"#), ["granted"]);
}

fn task_of(world: &mut World, contract: Digest) -> TaskId {
    let task = world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
    task
}

#[test]
fn tasks_of_one_contract_share_its_day() {
    let rules = "[limits.day]\ncalls = 5\n[[allow]]\ntool = \"t.any\"";
    let mut world = World::new();
    let contract = world.sign(rules);
    assert_eq!(words(&world.turn()), ["activated"]);
    let tasks: Vec<_> = (0..8).map(|_| task_of(&mut world, contract)).collect();
    for task in &tasks {
        world.propose(*task, 1);
    }
    let mut said = words(&world.turn());
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "Limit", "Limit", "Limit", "granted", "granted", "granted", "granted", "granted"
        ]
    );
    world.restart();
    world.rebuild();
    // An unclaimed grant is released by any later message.
    world.pass_ms(11_000);
    for _ in 0..6 {
        world.propose(tasks[0], 1);
    }
    let mut said = words(&world.turn());
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "Limit", "granted", "granted", "granted", "granted", "granted"
        ]
    );
    // A new day resets the daily limit.
    world.pass_ms(24 * 60 * 60 * 1000);
    world.propose(tasks[1], 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}

#[test]
fn labels_of_a_running_task_do_not_go_down_with_the_catalogue() {
    let rules =
        "[[allow]]\ntool = \"note.read\"\n[[allow]]\ntool = \"mail.send\"\nsecret = \"ask\"";
    let tools = include_str!("../../../contract/tests/conformance/tools.json");
    let from = tools.find("\"note.read\"").unwrap();
    let (before, note) = tools.split_at(from);
    let trusted = format!("{before}{}", note.replacen("untrusted", "trusted", 1));
    assert_ne!(trusted, tools);
    let mut world = World::new();
    let task = task_saying(&mut world, rules, "go");
    let mail = r#"{"to":"a@b.example","body":"x"}"#;
    assert_eq!(say(&mut world, task, "mail.send", mail), ["granted"]);
    done(&mut world, task, "note.read", "{}", "anything");
    assert_eq!(say(&mut world, task, "mail.send", mail), ["asked"]);
    world.change_tools(trusted.as_bytes());
    assert_eq!(words(&world.turn()), ["suspended"]);
    world.sign(rules);
    assert_eq!(words(&world.turn()), ["activated"]);
    assert_eq!(say(&mut world, task, "mail.send", mail), ["asked"]);
    world.rebuild();
    assert_eq!(say(&mut world, task, "mail.send", mail), ["asked"]);
    // Later reads are trusted.
    let contract = world.sign(rules);
    let other = TaskId::new(Uuid::from_u128(78));
    world.submit_saying(other, contract, b"go");
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    done(&mut world, other, "note.read", "{}", "anything");
    assert_eq!(say(&mut world, other, "mail.send", mail), ["granted"]);
}

#[test]
fn what_ends_with_a_task_is_free_again_and_what_it_started_stays_counted() {
    let rules = "[limits.contract]\ncalls = 3\nwall_time = \"3h\"\n[[allow]]\ntool = \"t.any\"";
    let mut world = World::new();
    let contract = world.sign(rules);
    assert_eq!(words(&world.turn()), ["activated"]);
    let task = task_of(&mut world, contract);
    let actions = [1, 2, 3].map(|n| world.propose(task, n));
    assert_eq!(words(&world.turn()), ["granted"; 3]);
    world.start(task, actions[0]);
    world.end(task);
    let other = task_of(&mut world, contract);
    world.propose(other, 1);
    assert_eq!(words(&world.turn()), ["Limit"], "they may still be claimed");
    world.start(task, actions[1]);
    world.finish(task, actions[0], USAGE);
    world.restart();
    world.pass_ms(11_000);
    world.propose(other, 1);
    world.propose(other, 2);
    assert_eq!(words(&world.turn()), ["granted", "Limit"]);
    world.rebuild();
    world.pass_ms(120_000);
    world.propose(other, 1);
    world.propose(other, 1);
    assert_eq!(words(&world.turn()), ["granted", "Limit"]);
}

#[test]
fn result_that_two_readers_read_differently_is_no_evidence() {
    let rules = "[[allow]]\ntool = \"t.free\"\n[[allow]]\ntool = \"mail.send\"\n\
                 where.to = { from = { tool = \"t.free\", field = \"mail\" } }\n\
                 [[deny]]\ntool = \"mail.send\"\n\
                 where.to = { from = { tool = \"t.free\", field = \"never\" } }";
    let mut world = World::new();
    let task = task_saying(&mut world, rules, "go");
    let mail = r#"{"to":"a@b.example","body":"x"}"#;
    done(
        &mut world,
        task,
        "t.free",
        "{}",
        r#"{"mail":"a@b.example","mail":"c@b.example"}"#,
    );
    // The deny rule cannot decide either.
    assert_eq!(say(&mut world, task, "mail.send", mail), ["Denied"]);
}

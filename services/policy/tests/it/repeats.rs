//! Checks that policy compares a call with the earlier calls of its rule: granted, running, failed and lapsed ones.

use bus_schema::TaskId;

use crate::world::{USAGE, World, granted, words};

const RULES: &str = "[[allow]]\nname = \"mail\"\ntool = \"mail.send\"\ndistinct = [\"to\"]";
fn mail(world: &mut World, task: TaskId, to: &str) -> Vec<String> {
    let args = format!(r#"{{"body":"b","to":"{to}@x.example"}}"#);
    world.propose_json(task, "mail.send", args.as_bytes());
    words(&world.turn())
}

#[test]
fn value_of_a_grant_that_nobody_has_claimed_is_used() {
    let (mut world, _, task) = World::with_task(RULES);
    assert_eq!(mail(&mut world, task, "ann"), ["granted"]);
    assert_eq!(mail(&mut world, task, "ann"), ["Limit"]);
    assert_eq!(mail(&mut world, task, "bob"), ["granted"]);
    world.restart();
    assert_eq!(mail(&mut world, task, "bob"), ["Limit"]);
    world.rebuild();
}

#[test]
fn value_of_a_call_that_runs_or_ended_is_used() {
    let (mut world, _, task) = World::with_task(RULES);
    world.propose_json(task, "mail.send", br#"{"body":"b","to":"ann@x.example"}"#);
    let action = granted(&world.turn())[0].grant.draft.action;
    world.start(task, action);
    assert_eq!(mail(&mut world, task, "ann"), ["Limit"]);
    world.finish(task, action, USAGE);
    assert_eq!(mail(&mut world, task, "ann"), ["Limit"]);
    world.restart();
    assert_eq!(mail(&mut world, task, "ann"), ["Limit"]);
}

#[test]
fn value_of_a_grant_that_lapsed_is_free_again() {
    let (mut world, _, task) = World::with_task(RULES);
    assert_eq!(mail(&mut world, task, "ann"), ["granted"]);
    world.pass_ms(60_000);
    assert_eq!(mail(&mut world, task, "ann"), ["granted"]);
}

#[test]
fn nothing_is_granted_if_earlier_arguments_were_erased() {
    let (mut world, _, task) = World::with_task(RULES);
    let args = br#"{"body":"b","to":"ann@x.example"}"#;
    world.propose_json(task, "mail.send", args);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.erase_bytes(args);
    world.restart();
    assert_eq!(mail(&mut world, task, "bob"), ["Denied"]);
}

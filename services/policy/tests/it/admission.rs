//! Checks that no more tasks are admitted than the contract's limits on tasks permit, also over versions and restarts.

use crate::world::{World, words};

const RULES: &str = "[limits.contract]\ntasks = 1\n[[allow]]\ntool = \"t.any\"";

#[test]
fn contract_for_one_task_rejects_the_second() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    let first = world.submit(contract);
    world.submit(contract);
    let said = words(&world.turn());
    assert_eq!(said, ["activated", "admitted", "not admitted: Limit"]);
    world.propose(first, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}

#[test]
fn ended_task_and_newer_version_count_on() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    let first = world.submit(contract);
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    world.end(first);
    world.restart();
    let newer = world.sign_text(&crate::text(RULES).replace("version = 1", "version = 2"));
    world.submit(newer);
    assert_eq!(words(&world.turn()), ["activated", "not admitted: Limit"]);
    let more = RULES.replace("tasks = 1", "tasks = 2");
    let more = world.sign_text(&crate::text(&more).replace("version = 1", "version = 3"));
    world.submit(more);
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    world.rebuild();
}

#[test]
fn next_hour_admits_again() {
    let mut world = World::new();
    let contract = world.sign(&RULES.replace("contract", "hour"));
    world.submit(contract);
    world.submit(contract);
    let said = words(&world.turn());
    assert_eq!(said, ["activated", "admitted", "not admitted: Limit"]);
    world.pass_ms(60 * 60 * 1000);
    world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
}

#[test]
fn nothing_is_admitted_before_the_contract_is_read_again() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    world.submit(contract);
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    world.restart();
    world.submit(contract);
    assert!(!world.step_without_bytes());
    assert_eq!(words(&world.turn()), ["not admitted: Limit"]);
}

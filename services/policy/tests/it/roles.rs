//! Checks approvers, quorum and escalation.

use bus_schema::{ActionId, AuthorId, DraftGrant, TaskId, public_key};

use crate::world::{World, answer_by, asked, granted, key, words};

/// The two approvers in finance; each approver uses the key of an author of the world.
const FINANCE: [AuthorId; 2] = [AuthorId::Worker, AuthorId::Gateway];
const BOSS: AuthorId = AuthorId::Audit;

fn open(quorum: u8) -> (World, TaskId, ActionId, DraftGrant) {
    let text = |author| format!("\"{}\"", public_key(&key(author)));
    let finance = FINANCE.map(text).join(", ");
    let rules = format!(
        "[roles.finance]\nkeys = [{finance}]\n[roles.boss]\nkeys = [{}]\n\
         [[ask]]\ntool = \"t.any\"\nrole = \"finance\"\nquorum = {quorum}\n\
         escalate = {{ after = \"5m\", role = \"boss\" }}\nreason = \"Money.\"\nexpires = \"10m\"",
        text(BOSS)
    );
    let (mut world, _, task) = World::with_task(&rules);
    let action = world.propose(task, 1);
    let draft = asked(&world.turn());
    (world, task, action, draft)
}

fn say(world: &mut World, task: TaskId, draft: &DraftGrant, by: AuthorId) -> Vec<String> {
    world.carry(task, draft.action, &answer_by(by, draft, true));
    words(&world.turn())
}

#[test]
fn role_is_asked_and_the_owner_is_not() {
    let (mut world, task, _, draft) = open(1);
    let asked = draft.asked.as_ref().unwrap();
    assert_eq!(asked.approvers, FINANCE.map(|one| public_key(&key(one))));
    let unknown = ["not taken: ApproverUnknown"];
    assert_eq!(say(&mut world, task, &draft, AuthorId::Owner), unknown);
    assert_eq!(say(&mut world, task, &draft, BOSS), unknown);
    assert_eq!(say(&mut world, task, &draft, FINANCE[1]), ["granted"]);
    world.rebuild();
}

#[test]
fn quorum_takes_that_many_different_people() {
    let (mut world, task, _, draft) = open(2);
    assert_eq!(say(&mut world, task, &draft, FINANCE[0]).len(), 0);
    let twice = ["not taken: ApprovalUsed"];
    assert_eq!(say(&mut world, task, &draft, FINANCE[0]), twice);
    world.restart();
    world.carry(task, draft.action, &answer_by(FINANCE[1], &draft, true));
    let facts = world.turn();
    assert_eq!(granted(&facts)[0].grant.approvals.len(), 2);
    world.rebuild();
}

#[test]
fn one_no_of_those_asked_ends_the_question() {
    let (mut world, task, action, draft) = open(2);
    assert_eq!(say(&mut world, task, &draft, FINANCE[0]).len(), 0);
    world.carry(task, action, &answer_by(FINANCE[1], &draft, false));
    assert_eq!(words(&world.turn()), ["SaidNo"]);
}

#[test]
fn whoever_is_asked_after_silence_counts_from_then_on() {
    let (mut world, task, _, draft) = open(1);
    world.pass_ms(5 * 60 * 1000 - 1);
    assert_eq!(
        say(&mut world, task, &draft, BOSS),
        ["not taken: ApproverUnknown"]
    );
    world.pass_ms(1);
    assert_eq!(say(&mut world, task, &draft, BOSS), ["granted"]);
    world.rebuild();
}

//! Checks valid and invalid answers to a question.

use std::time::Duration;

use actor::Core as _;
use bus_schema::{
    ActionId, AuthorId, ContractRevoked, Deployment, Digest, DraftGrant, HaltLifted, HaltOrdered,
    Owner, PolicyFact, Signed, TaskId, wire,
};
use policy::APPROVALS_REFUSED_MAX;

use crate::world::{World, answer, answer_all, answer_by, asked, granted, refused, words};

const RULES: &str = "
[[allow]]
tool = \"t.any\"
where.n = 1

[[ask]]
name = \"ask-me\"
tool = \"t.any\"
where.n = { min = 2, max = 5 }
calls = 2
reason = \"because\"
expires = \"3s\"
";

/// Returns a world with an open question, three seconds before it expires.
fn open() -> (World, TaskId, ActionId, DraftGrant) {
    let (mut world, _, task) = World::with_task(RULES);
    let action = world.propose(task, 2);
    let facts = world.turn();
    assert_eq!(words(&facts), ["asked"]);
    (world, task, action, asked(&facts))
}

#[test]
fn question_carries_the_draft_the_time_and_the_reason() {
    let (mut world, _, task) = World::with_task(RULES);
    world.head = None;
    let action = world.propose(task, 2);
    let facts = world.turn();
    let [PolicyFact::ApprovalRequested(_, fact)] = &facts[..] else {
        panic!("{facts:?}");
    };
    assert_eq!(fact.draft.action, action);
    let question = fact.draft.asked.as_ref().unwrap();
    assert_eq!(question.until, world.log.now.plus_ms(3_000));
    assert_eq!((question.quorum, question.approvers.len()), (1, 1));
    assert_eq!(fact.draft.rule.as_str(), "ask-me");
    assert_eq!(world.why(fact.reason), "because");
}

#[test]
fn yes_grants_exactly_the_draft_and_only_once() {
    let (mut world, task, action, draft) = open();
    let yes = answer(&draft, true);
    world.carry(task, action, &yes);
    world.restart();
    let facts = world.turn();
    let [fact] = granted(&facts)[..] else {
        panic!("{facts:?}");
    };
    assert_eq!(wire::encode(&fact.grant.draft), wire::encode(&draft));
    assert_eq!(fact.grant.approvals, std::slice::from_ref(&yes));
    world.carry(task, action, &yes);
    world.carry(task, action, &answer(&draft, false));
    let closed = "not taken: ApprovalNotOpen";
    assert_eq!(words(&world.turn()), [closed, closed]);
    world.rebuild();
}

#[test]
fn no_refuses_and_nothing_follows() {
    let (mut world, task, action, draft) = open();
    world.carry(task, action, &answer(&draft, false));
    let facts = world.turn();
    assert_eq!(words(&facts), ["SaidNo"]);
    assert_eq!(refused(&facts)[0].rule.as_str(), "ask-me");
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["not taken: ApprovalNotOpen"]);
}

#[test]
fn no_counts_until_the_grant_is_given() {
    let (mut world, task, action, draft) = open();
    world.head = None;
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(world.turn().len(), 0);
    world.carry(task, action, &answer(&draft, false));
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["not taken: ApprovalUsed", "SaidNo"]);
}

#[test]
fn statement_of_anything_else_is_refused_and_the_question_stays_open() {
    let (mut world, task, action, draft) = open();
    let second = world.propose(task, 3);
    let other = asked(&world.turn());
    let edited = DraftGrant {
        wall_ms: draft.wall_ms + 1,
        ..draft.clone()
    };
    let elsewhere = DraftGrant {
        contract: Digest::ZERO,
        ..draft.clone()
    };
    let (other_action, unknown) = ("ApprovalOtherAction", "ApproverUnknown");
    let wrong: [(ActionId, Signed, &str); 6] = [
        (action, answer(&other, true), other_action),
        (second, answer(&draft, true), other_action),
        (action, answer(&edited, true), "ApprovalDiffers"),
        (action, answer(&elsewhere, true), "ApprovalOtherContract"),
        (action, answer_by(AuthorId::Gateway, &draft, true), unknown),
        (action, answer_by(AuthorId::Gateway, &draft, false), unknown),
    ];
    for (action, statement, code) in wrong {
        world.carry(task, action, &statement);
        assert_eq!(words(&world.turn()), [format!("not taken: {code}")]);
    }
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}

#[test]
fn refused_statements_are_recorded_up_to_a_bound() {
    let (mut world, task, action, draft) = open();
    let forged = answer_by(AuthorId::Gateway, &draft, true);
    let unknown = ActionId::new(uuid::Uuid::nil());
    for _ in 0..20 {
        world.carry(task, action, &forged);
        world.carry(task, unknown, &forged);
    }
    let facts = world.turn();
    assert_eq!(facts.len(), 2 * usize::from(APPROVALS_REFUSED_MAX));
    let size = wire::encode(world.core.state()).len();
    world.carry(task, action, &forged);
    world.carry(TaskId::new(uuid::Uuid::nil()), action, &forged);
    assert_eq!(world.turn().len(), 0);
    assert_eq!(wire::encode(world.core.state()).len(), size);
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["granted"]);
}

#[test]
fn answer_counts_to_the_last_millisecond_and_silence_refuses_after_it() {
    let (mut world, task, action, draft) = open();
    world.pass_ms(3_000);
    assert_eq!(world.turn().len(), 0);
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["granted"]);

    let (mut world, task, action, draft) = open();
    world.pass_ms(3_001);
    let facts = world.turn();
    assert_eq!(words(&facts), ["ApprovalExpired"]);
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["not taken: ApprovalNotOpen"]);

    // Stored too late, and read before policy published the expiry.
    let (mut world, task, action, draft) = open();
    world.pass_ms(3_001);
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(
        words(&world.turn()),
        ["not taken: ApprovalExpired", "ApprovalExpired"]
    );
    world.rebuild();
}

#[test]
fn yes_in_time_waits_for_a_fresh_head_and_the_end_of_a_halt() {
    let (mut world, task, action, draft) = open();
    world.head = None;
    world.carry(task, action, &answer(&draft, true));
    world.say::<Owner, _>(Deployment, HaltOrdered {});
    world.pass_ms(60_000);
    assert_eq!(world.turn().len(), 0);
    world.head = Some((0, Duration::ZERO));
    assert_eq!(world.turn().len(), 0);
    world.say::<Owner, _>(Deployment, HaltLifted {});
    world.rebuild();
    assert_eq!(words(&world.turn()), ["granted"]);
}

#[test]
fn yes_lifts_the_question_and_nothing_else() {
    // The contract is revoked.
    let (mut world, task, action, draft) = open();
    world.carry(task, action, &answer(&draft, true));
    let contract = draft.contract;
    world.say::<Owner, _>(Deployment, ContractRevoked { contract });
    assert_eq!(words(&world.turn()), ["NoContract"]);

    // The tool has changed.
    let (mut world, task, action, draft) = open();
    world.carry(task, action, &answer(&draft, true));
    let tools = include_str!("../../../contract/tests/conformance/tools.json");
    let changed = tools.replace("Takes one argument of each type", "Takes arguments");
    world.change_tools(changed.as_bytes());
    assert_eq!(words(&world.turn()), ["suspended", "Suspended"]);

    // The arguments were erased.
    let (mut world, task, action, draft) = open();
    world.log.erase(draft.args);
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["Arguments"]);

    // The rule has no calls left.
    let (mut world, task, action, draft) = open();
    let mut asks = vec![(action, draft)];
    for n in [3, 4] {
        let action = world.propose(task, n);
        asks.push((action, asked(&world.turn())));
    }
    for (action, draft) in &asks {
        world.carry(task, *action, &answer(draft, true));
    }
    assert_eq!(words(&world.turn()), ["granted", "granted", "Limit"]);
}

#[test]
fn yes_to_more_than_is_left_is_refused() {
    let rules = format!("[limits]\nwall_time = \"90s\"\n{RULES}");
    let (mut world, _, task) = World::with_task(&rules);
    let action = world.propose(task, 2);
    let draft = asked(&world.turn());
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.carry(task, action, &answer(&draft, true));
    assert_eq!(words(&world.turn()), ["Limit"]);
}

#[test]
fn yes_to_the_question_of_one_rule_does_not_answer_that_of_another() {
    let ask = "[[ask]]\ntool = \"t.any\"\nreason = \"r\"\n";
    let first = "expires = \"2s\"\nwhen = 'task.calls < 1'\n";
    let rules = format!("{ask}{first}{ask}expires = \"3s\"\n");
    let (mut world, _, task) = World::with_task(&rules);
    let mut asks = Vec::new();
    for n in [1, 2] {
        let action = world.propose(task, n);
        let draft = asked(&world.turn());
        assert_eq!(draft.rule.as_str(), "ask.1");
        asks.push((action, draft));
    }
    for (action, draft) in &asks {
        world.carry(task, *action, &answer(draft, true));
    }
    // Before the second approval, a call was made, so only the second rule asks.
    assert_eq!(words(&world.turn()), ["granted", "Limit"]);
    world.propose(task, 3);
    assert_eq!(asked(&world.turn()).rule.as_str(), "ask.2");
}

/// A statement about the open question that is not a valid answer.
type Wrong = fn(&mut World, TaskId, ActionId, &DraftGrant);

#[test]
fn each_way_in_which_an_approval_is_wrong_has_a_code_of_its_own() {
    let ways: [(&str, Wrong); 7] = [
        // Given for another action, and replayed here.
        ("ApprovalOtherAction", |world, task, action, _| {
            world.propose(task, 3);
            let other = asked(&world.turn());
            world.carry(task, other.action, &answer(&other, true));
            assert_eq!(words(&world.turn()), ["granted"]);
            world.carry(task, action, &answer(&other, true));
        }),
        ("ApprovalExpired", |world, task, action, draft| {
            world.pass_ms(3_001);
            world.carry(task, action, &answer(draft, true));
        }),
        // Signed by an unknown device.
        ("ApproverUnknown", |world, task, action, draft| {
            world.carry(task, action, &answer_by(AuthorId::Gateway, draft, true));
        }),
        // The signature covers the exact arguments.
        ("ApprovalDiffers", |world, task, action, draft| {
            let args = world.put(AuthorId::Worker, br#"{"n":5}"#);
            let edited = DraftGrant {
                args,
                ..draft.clone()
            };
            world.carry(task, action, &answer(&edited, true));
        }),
        ("ApprovalOtherContract", |world, task, action, draft| {
            let contract = Digest::of(&[b"another version"]);
            let other = DraftGrant {
                contract,
                ..draft.clone()
            };
            world.carry(task, action, &answer(&other, true));
        }),
        // A second time, after the first was accepted.
        ("ApprovalNotOpen", |world, task, action, draft| {
            world.carry(task, action, &answer(draft, true));
            assert_eq!(words(&world.turn()), ["granted"]);
            world.carry(task, action, &answer(draft, true));
        }),
        // Twice at once, before policy answers the first.
        ("ApprovalUsed", |world, task, action, draft| {
            world.carry(task, action, &answer(draft, true));
            world.carry(task, action, &answer(draft, true));
        }),
    ];
    let mut codes = std::collections::BTreeSet::new();
    for (code, wrong) in ways {
        let (mut world, task, action, draft) = open();
        wrong(&mut world, task, action, &draft);
        let said = words(&world.turn());
        assert_eq!(said[0], format!("not taken: {code}"), "{said:?}");
        let granted = said.iter().filter(|word| *word == "granted").count();
        assert_eq!(granted, usize::from(code == "ApprovalUsed"), "{said:?}");
        world.rebuild();
        codes.insert(code);
    }
    assert_eq!(codes.len(), 7);
}

#[test]
fn one_statement_answers_several_questions_each_by_itself() {
    let (mut world, task, first, draft) = open();
    let second = world.propose(task, 3);
    let other = asked(&world.turn());
    let third = world.propose(task, 4);
    let left_out = asked(&world.turn());
    let plan = [draft.clone(), other.clone()];
    let yes = answer_all(&plan, true);
    // It says nothing about a call that it does not name.
    world.carry(task, third, &yes);
    assert_eq!(words(&world.turn()), ["not taken: ApprovalOtherAction"]);
    world.carry(task, second, &yes);
    let facts = world.turn();
    let [fact] = granted(&facts)[..] else {
        panic!("{facts:?}");
    };
    assert_eq!(wire::encode(&fact.grant.draft), wire::encode(&other));
    world.carry(task, first, &yes);
    let facts = world.turn();
    assert_eq!(words(&facts), ["granted"]);
    assert_eq!(
        granted(&facts)[0].grant.approvals,
        std::slice::from_ref(&yes)
    );
    world.carry(task, first, &yes);
    assert_eq!(words(&world.turn()), ["not taken: ApprovalNotOpen"]);
    // The quota of the rule is spent now, whatever a person says.
    world.carry(task, third, &answer(&left_out, true));
    assert_eq!(words(&world.turn()), ["Limit"]);
    world.rebuild();
}

#[test]
fn one_no_refuses_each_call_of_its_list() {
    let (mut world, task, first, draft) = open();
    let second = world.propose(task, 3);
    let other = asked(&world.turn());
    let no = answer_all(&[draft, other], false);
    world.carry(task, first, &no);
    world.carry(task, second, &no);
    assert_eq!(words(&world.turn()), ["SaidNo", "SaidNo"]);
    world.rebuild();
}

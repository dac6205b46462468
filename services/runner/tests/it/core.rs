//! Tests claimed, declined and waiting grants.

use std::collections::BTreeSet;
use std::time::Duration;

use actor::Core as _;
use bus_schema::testing::owner;
use bus_schema::{
    ActionDeclined, AuthorId, Deployment, Digest, Egress, HaltLifted, HaltOrdered, Owner,
    RefusalCode, Runner,
};
use ed25519_dalek::SigningKey;
use executor::Input;
use runner::Lost;

use crate::stream::{
    CALLS, START, Stream, TTL_MS, Wants, action, approval, asked, contract, deployment, draft,
    envelope, other_content, task,
};

pub(crate) fn claimed(n: u128) -> Wants {
    Wants {
        claims: vec![action(n)],
        ..Wants::default()
    }
}

pub(crate) fn declined(n: u128, code: RefusalCode) -> Wants {
    let action = action(n);
    Wants {
        appends: vec![ActionDeclined { action, code }],
        ..Wants::default()
    }
}

#[test]
fn grant_is_claimed_once_its_arguments_are_here() {
    let mut stream = Stream::new();
    assert_eq!(stream.wants(), Wants::default());
    assert!(stream.grant(draft(1, "file.write")));
    let fetches = Wants {
        fetches: vec![action(1)],
        ..Wants::default()
    };
    assert_eq!(stream.wants(), fetches);
    stream.core.input(Input::Unanswered);
    assert_eq!(stream.wants(), fetches);
    stream.bring(action(1));
    assert_eq!(stream.wants(), claimed(1));
    assert_eq!(
        stream.wants_while(&BTreeSet::from([Some(task(1))])),
        Wants::default()
    );
    stream.started(1);
    assert_eq!(stream.wants(), Wants::default());
    stream.finished(1);
    assert_eq!(stream.wants(), Wants::default());
}

#[test]
fn health_says_that_the_workspace_is_lost_until_it_is_back() {
    let mut stream = Stream::new();
    assert_eq!(stream.wants(), Wants::default());
    assert_eq!(stream.core.trouble(), None);
    let lost = Lost::Replaced("/srv/work".to_owned());
    stream.core.input(Input::Trouble(Some(lost.to_string())));
    assert_eq!(stream.core.trouble(), Some(lost.to_string().as_str()));
    stream.core.input(Input::Trouble(None));
    assert_eq!(stream.core.trouble(), None);
}

#[test]
fn nothing_is_claimed_before_the_cage_was_tested() {
    let mut stream = Stream::bare();
    stream.sign(contract(), envelope());
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), Wants::default());
    assert!(stream.core.trouble().is_some());
    stream.core.input(Input::Probed(Ok(())));
    assert_eq!(stream.wants(), claimed(1));
    assert_eq!(stream.core.trouble(), None);
}

#[test]
fn without_a_cage_nothing_runs() {
    let mut stream = Stream::new();
    stream.core.input(Input::Probed(Err("no Landlock")));
    stream.ready(draft(1, "sh"));
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoCage));
    assert_eq!(stream.core.trouble(), Some("no Landlock"));
    let said = ActionDeclined {
        action: action(1),
        code: RefusalCode::NoCage,
    };
    assert!(stream.say::<Runner, _>(task(1), said));
    assert_eq!(stream.wants(), Wants::default());
    stream.ready(draft(2, "file.write"));
    assert_eq!(stream.wants(), declined(2, RefusalCode::NoCage));
}

/// The rule is the same as policy's: younger than five seconds, and at most a thousand events behind.
#[test]
fn nothing_is_claimed_or_declined_for_it_without_a_fresh_head() {
    let mut stream = Stream::new();
    stream.junk(2_000);
    stream.ready(draft(1, "file.write"));
    let (young, old) = (Duration::from_millis(4_999), Duration::from_secs(5));
    for (head, fresh) in [
        (None, false),
        (Some((0, old)), false),
        (Some((1_001, Duration::ZERO)), false),
        (Some((1_000, Duration::ZERO)), true),
        (Some((0, young)), true),
    ] {
        stream.head = head;
        let wanted = if fresh { claimed(1) } else { Wants::default() };
        assert_eq!(stream.wants(), wanted, "{head:?}");
        let trouble = "audit's log is not up to date: nothing is claimed";
        let said = (!fresh).then_some(trouble);
        assert_eq!(stream.core.trouble(), said, "{head:?}");
    }
    // A grant waits only until it lapses.
    stream.head = None;
    stream.log.now = stream.log.now.plus_ms(TTL_MS + 1);
    assert_eq!(stream.wants(), Wants::default());
}

#[test]
fn what_lies_outside_is_declined_without_a_head() {
    let mut stream = Stream::new();
    stream.head = None;
    stream.ready(draft(1, "file.list"));
    assert_eq!(stream.wants(), declined(1, RefusalCode::Tool));
}

#[test]
fn grants_outside_of_what_the_owner_signed_are_declined() {
    let tools = RefusalCode::Tool;
    let outside = RefusalCode::OutsideEnvelope;
    type Change = fn(&mut bus_schema::DraftGrant);
    let cases: &[(Change, RefusalCode)] = &[
        (|d| d.contract = Digest::ZERO, RefusalCode::NoContract),
        (|d| d.tool = "file.list".parse().unwrap(), tools),
        (|d| d.tool_digest = Digest::ZERO, tools),
        (|d| d.wall_ms = 5_001, outside),
        (|d| d.output_bytes_max = 10_001, outside),
        (|d| d.ttl_ms = 30_001, outside),
        (|d| d.secrets = vec!["key".parse().unwrap()], outside),
        (
            |d| d.deployment = bus_schema::DeploymentId::new(task(7).uuid()),
            outside,
        ),
    ];
    for (change, code) in cases {
        let mut stream = Stream::new();
        let mut wrong = draft(1, "file.write");
        change(&mut wrong);
        stream.ready(wrong);
        assert_eq!(stream.wants(), declined(1, *code));
    }
}

#[test]
fn a_task_that_the_owner_did_not_sign_under_this_contract_runs_nothing() {
    for (contract, by_owner) in [(contract(), false), (Digest::ZERO, true)] {
        let mut stream = Stream::new();
        stream.submit(task(1), contract, by_owner);
        stream.ready(draft(1, "file.write"));
        assert_eq!(stream.wants(), declined(1, RefusalCode::BadStatement));
    }
    let mut stream = Stream::new();
    stream.submit(task(1), contract(), true);
    stream.submit(task(1), Digest::ZERO, true);
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
}

#[test]
fn a_grant_for_another_task_than_its_subject_names_is_declined() {
    let mut stream = Stream::new();
    let mut wrong = draft(1, "file.write");
    wrong.task = task(2);
    let grant = bus_schema::Grant {
        draft: wrong,
        approvals: Vec::new(),
    };
    assert!(stream.say::<bus_schema::Policy, _>(task(1), bus_schema::ActionGranted { grant }));
    stream.bring(action(1));
    assert_eq!(stream.wants(), declined(1, RefusalCode::OutsideEnvelope));
}

#[test]
fn a_tool_of_another_catalogue_is_declined_although_it_was_signed() {
    let mut stream = Stream::new();
    let mut wider = envelope();
    for tool in &mut wider.tools {
        tool.digest = Digest::ZERO;
    }
    stream.sign(Digest::ZERO, wider);
    let mut other = draft(1, "file.write");
    other.contract = Digest::ZERO;
    other.tool_digest = Digest::ZERO;
    stream.ready(other);
    assert_eq!(stream.wants(), declined(1, RefusalCode::Tool));
    let mut stream = Stream::new();
    stream.ready(draft(2, "http.get"));
    assert_eq!(stream.wants(), declined(2, RefusalCode::Tool));
}

#[test]
fn arguments_that_differ_from_the_grant_are_declined() {
    // The bus returns only bytes that match the hash in their name.
    let mut stream = Stream::new();
    let mut edited = draft(1, "file.write");
    edited.args = other_content();
    assert!(stream.grant(edited));
    stream.core.input(Input::Args(action(1), None));
    assert_eq!(stream.wants(), declined(1, RefusalCode::Arguments));
    // JSON is refused if two readers could read it differently, or if a person could have seen something else.
    for other in [
        r#"{"script":"a","script":"b"}"#,
        r#"{"script": "a"}"#,
        "{\"script\":\"a\"}\n",
        r#"{"script":"\u0061"}"#,
        r#"{"script":"a","args":[]}"#,
    ] {
        let mut stream = Stream::new();
        assert!(stream.grant(draft(1, "sh")));
        let bytes = other.as_bytes().to_vec();
        stream.core.input(Input::Args(action(1), Some(bytes)));
        let declined = declined(1, RefusalCode::Arguments);
        assert_eq!(stream.wants(), declined, "{other}");
    }
}

#[test]
fn a_draft_edited_after_the_approval_is_declined() {
    let mut signed = draft(1, "file.read");
    signed.asked = Some(asked(vec![owner()]));
    let mut edited = signed.clone();
    edited.args = other_content();
    for (granted, by_owner, wanted) in [
        (edited, true, declined(1, RefusalCode::OutsideEnvelope)),
        (
            signed.clone(),
            false,
            declined(1, RefusalCode::OutsideEnvelope),
        ),
        (signed.clone(), true, claimed(1)),
    ] {
        let mut stream = Stream::new();
        assert!(stream.grant_with(granted, Some(approval(&signed, by_owner))));
        stream.bring(action(1));
        assert_eq!(stream.wants(), wanted);
    }
}

#[test]
fn policy_alone_can_neither_name_a_tool_nor_say_yes() {
    // Policy's key is stolen: every event is genuine, but only actions that the owner signed run.
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.list"));
    assert_eq!(stream.wants(), declined(1, RefusalCode::Tool));
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.read"));
    assert_eq!(stream.wants(), declined(1, RefusalCode::OutsideEnvelope));
    // An event under a key outside the roster is not genuine.
    let mut stream = Stream::new();
    let unknown = SigningKey::from_bytes(&[9; 32]);
    stream.log.keys.insert(AuthorId::Policy, unknown);
    assert!(!stream.grant(draft(1, "file.write")));
    stream.bring(action(1));
    assert_eq!(stream.wants(), Wants::default());
}

#[test]
fn the_last_call_of_the_envelope_is_claimed_and_the_next_is_not() {
    let mut stream = Stream::new();
    for n in 1..=u128::from(CALLS) {
        stream.ready(draft(n, "file.write"));
        assert_eq!(stream.wants(), claimed(n));
        stream.started(n);
        stream.finished(n);
    }
    stream.restart();
    stream.ready(draft(10, "file.write"));
    assert_eq!(stream.wants(), declined(10, RefusalCode::OutsideEnvelope));
}

#[test]
fn a_call_after_days_is_still_counted() {
    let mut stream = Stream::new();
    let mut long = envelope();
    long.expires = START.plus_ms(100 * 86_400_000);
    stream.sign(contract(), long);
    for n in 1..=u128::from(CALLS) {
        stream.ready(draft(n, "file.write"));
        stream.started(n);
    }
    stream.log.now = stream.log.now.plus_ms(99 * 86_400_000);
    stream.ready(draft(10, "file.write"));
    assert_eq!(stream.wants(), declined(10, RefusalCode::OutsideEnvelope));
}

#[test]
fn a_late_claim_is_no_call() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    stream.log.now = stream.log.now.plus_ms(TTL_MS);
    stream.started(1);
    for n in 2..=u128::from(CALLS) + 1 {
        stream.ready(draft(n, "file.write"));
        assert_eq!(stream.wants(), claimed(n));
        stream.started(n);
        stream.finished(n);
    }
}

#[test]
fn a_grant_lapses_without_a_word() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    stream.log.now = stream.log.now.plus_ms(TTL_MS);
    assert_eq!(stream.wants(), claimed(1));
    stream.log.now = stream.log.now.plus_ms(1);
    assert_eq!(stream.wants(), Wants::default());
}

#[test]
fn nothing_is_claimed_under_an_expired_contract() {
    let mut stream = Stream::new();
    stream.log.now = START.plus_ms(3_600_000 - 10);
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
    stream.log.now = START.plus_ms(3_600_000);
    assert_eq!(stream.wants(), declined(1, RefusalCode::Expired));
}

#[test]
fn a_grant_for_another_executor_is_ignored() {
    let mut stream = Stream::new();
    let mut other = draft(1, "file.write");
    other.audience = AuthorId::Worker;
    stream.ready(other);
    assert_eq!(stream.wants(), Wants::default());
}

#[test]
fn a_second_grant_of_an_action_never_runs() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
    stream.started(1);
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), Wants::default());
    stream.finished(1);
    stream.restart();
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), Wants::default());
}

#[test]
fn an_action_of_an_earlier_life_never_runs_again() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    stream.started(1);
    stream.restart();
    stream.core.caught_up();
    stream.bring(action(1));
    assert_eq!(stream.wants(), Wants::default());
    assert!(stream.grant(draft(2, "file.write")));
    stream.restart();
    stream.bring(action(2));
    assert_eq!(stream.wants(), claimed(2));
}

#[test]
fn a_halt_stops_claims_and_is_told_at_once() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    assert!(stream.say::<Owner, _>(Deployment, HaltOrdered {}));
    assert!(stream.gate.borrow().halted);
    assert_eq!(stream.wants(), Wants::default());
    stream.restart();
    assert!(stream.gate.borrow().halted);
    stream.bring(action(1));
    assert_eq!(stream.wants(), Wants::default());
    assert!(stream.say::<Owner, _>(Deployment, HaltLifted {}));
    assert!(!stream.gate.borrow().halted);
    assert_eq!(stream.wants(), claimed(1));
}

#[test]
fn an_order_beside_the_stream_halts_until_the_record_is_younger() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    let order = stream.log.now;
    stream.core.input(Input::Halt(order));
    assert!(stream.gate.borrow().halted);
    assert_eq!(stream.wants(), Wants::default());
    assert!(stream.say::<Owner, _>(Deployment, HaltLifted {}));
    assert!(!stream.gate.borrow().halted);
    // A replayed order is older than the record.
    stream.core.input(Input::Halt(order));
    assert_eq!(stream.wants(), claimed(1));
    stream.core.input(Input::Halt(stream.log.now.plus_ms(1)));
    assert!(stream.gate.borrow().halted);
    assert!(stream.say::<Owner, _>(Deployment, HaltOrdered {}));
    assert!(stream.say::<Owner, _>(Deployment, HaltLifted {}));
    assert_eq!(stream.wants(), claimed(1));
}

#[test]
fn another_executor_says_nothing_about_an_action_of_the_runner() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    let action = action(1);
    let code = RefusalCode::Tool;
    assert!(stream.say::<Egress, _>(task(1), bus_schema::ActionDeclined { action, code }));
    assert!(stream.say::<Egress, _>(task(1), bus_schema::ActionStarted { action }));
    assert_eq!(stream.wants().claims, [action]);
}

#[test]
fn no_more_programs_run_at_once_than_configured() {
    let mut stream = Stream::new();
    stream.core.caught_up();
    let mut of = |n: u128| {
        let mut draft = draft(n, "sh");
        draft.task = task(n);
        stream.ready(draft);
    };
    (1..=4).for_each(&mut of);
    assert_eq!(stream.wants().claims, [action(1), action(2)]);
    let busy = BTreeSet::from([Some(task(1)), Some(task(2))]);
    assert_eq!(stream.wants_while(&busy).claims, []);
    for n in [1, 2] {
        let action = action(n);
        assert!(stream.say::<Runner, _>(task(n), bus_schema::ActionStarted { action }));
    }
    assert_eq!(stream.wants().claims, []);
    stream.core.input(Input::Ran(action(1)));
    assert_eq!(stream.wants().claims, [action(3)]);
    stream.log.now = stream.log.now.plus_ms(11_000);
    assert_eq!(stream.wants().claims, [action(3), action(4)]);
}

#[test]
fn file_tools_do_not_wait_for_programs() {
    let mut stream = Stream::new();
    stream.core.caught_up();
    for (n, tool) in [(1, "sh"), (2, "sh"), (3, "sh"), (4, "file.write")] {
        let mut draft = draft(n, tool);
        draft.task = task(n);
        stream.ready(draft);
    }
    assert_eq!(stream.wants().claims, [action(1), action(2), action(4)]);
}

#[test]
fn the_deployment_is_that_of_the_roster() {
    let mut stream = Stream::new();
    assert_eq!(draft(1, "file.write").deployment, deployment());
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
}

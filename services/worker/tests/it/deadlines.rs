//! Tests the timeouts of actions that are never claimed or finished.

use crate::core::{failure, proposed, task};
use crate::stream::{Node, Stream, TTL_MS, WALL_MS};
use bus_schema::{ActionExpired, ActionId, ActionOutcome, OUTCOME_GRACE_MS, TaskOutcome, Worker};
use worker::EXPIRY_MARGIN_MS;

const TTL: u64 = TTL_MS as u64;
const RUN: u64 = WALL_MS as u64 + OUTCOME_GRACE_MS as u64;
const LAPSED: &str = r#"{"step":"a","reason":"Step `a` was not claimed in time at attempt 6."}"#;
const UNKNOWN: &str =
    r#"{"step":"a","reason":"Step `a` may or may not have happened at attempt 1."}"#;

fn granted(step: &str) -> (Stream, Node, ActionId) {
    let (mut stream, mut node, action) = proposed(step);
    stream.grant(task(1), action);
    assert_eq!(node.run(&mut stream), []);
    (stream, node, action)
}

/// Grants every attempt after the first and lets it lapse.
fn never_claimed(stream: &mut Stream, node: &mut Node) {
    while stream.ended(task(1)).is_none() {
        let action = stream.last(task(1));
        stream.grant(task(1), action);
        stream.wait_ms(TTL + EXPIRY_MARGIN_MS + 1);
        node.run(stream);
    }
    let attempts = stream.proposed(task(1));
    let attempts: Vec<_> = attempts.iter().map(|one| one.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5, 6]);
}

fn started(step: &str) -> (Stream, Node, ActionId) {
    let (mut stream, mut node, action) = granted(step);
    stream.wait_ms(TTL);
    stream.start(task(1), action);
    assert_eq!(node.run(&mut stream), []);
    (stream, node, action)
}

#[test]
fn a_claim_counts_up_to_the_last_millisecond_and_not_after_it() {
    for (late, wanted) in [(0, &["task.finished"]), (1, &["action.proposed"])] {
        let (mut stream, mut node, action) = granted("");
        stream.wait_ms(TTL + late);
        stream.start(task(1), action);
        stream.end(task(1), action, ActionOutcome::Succeeded);
        let kinds: Vec<_> = node.run(&mut stream).iter().map(|said| said.kind).collect();
        assert_eq!(kinds, wanted);
    }
}

#[test]
fn an_outcome_counts_up_to_the_last_millisecond_and_not_after_it() {
    let (mut stream, mut node, action) = started("");
    stream.wait_ms(RUN);
    stream.end(task(1), action, ActionOutcome::Succeeded);
    node.run(&mut stream);
    assert_eq!(stream.ended(task(1)), Some((TaskOutcome::Succeeded, None)));

    let (mut stream, mut node, action) = started("");
    stream.wait_ms(RUN + 1);
    stream.end(task(1), action, ActionOutcome::Succeeded);
    node.run(&mut stream);
    assert_eq!(failure(&stream), UNKNOWN);
}

#[test]
fn a_passed_deadline_is_marked_after_the_margin() {
    for (make, wait, then) in [
        (granted as fn(&str) -> _, TTL, "action.proposed"),
        (started as fn(&str) -> _, RUN, "task.finished"),
    ] {
        let (mut stream, mut node, _): (Stream, Node, ActionId) = make("");
        stream.wait_ms(wait + EXPIRY_MARGIN_MS);
        assert_eq!(node.run(&mut stream), []);
        stream.wait_ms(1);
        let said = node.run(&mut stream);
        let kinds: Vec<_> = said.iter().map(|said| said.kind).collect();
        assert_eq!(kinds, ["action.expired", then]);
    }
}

#[test]
fn what_nobody_claims_is_proposed_anew_and_then_given_up() {
    let (mut stream, mut node, _) = granted("");
    stream.wait_ms(TTL + EXPIRY_MARGIN_MS + 1);
    node.run(&mut stream);
    never_claimed(&mut stream, &mut node);
    assert_eq!(failure(&stream), LAPSED);
}

#[test]
fn what_nobody_claimed_is_done_once_somebody_claims_it() {
    let (mut stream, mut node, first) = granted("");
    stream.wait_ms(TTL + EXPIRY_MARGIN_MS + 1);
    node.run(&mut stream);
    let second = stream.last(task(1));
    assert_ne!(first, second);
    stream.succeed(task(1), "");
    node.run(&mut stream);
    assert_eq!(stream.ended(task(1)), Some((TaskOutcome::Succeeded, None)));
}

#[test]
fn a_restarted_worker_marks_deadlines_that_passed_meanwhile() {
    let (mut stream, node, _) = started("");
    stream.wait_ms(RUN + EXPIRY_MARGIN_MS + 1);
    let mut node = node.restarted();
    assert_eq!(node.run(&mut stream)[0].kind, "action.expired");
}

#[test]
fn a_mark_counts_only_if_its_own_time_proves_it() {
    for (wait, given_up) in [(TTL, false), (TTL + 1, true)] {
        let (mut stream, mut node, action) = granted("");
        stream.wait_ms(wait);
        stream.say::<Worker, _>(task(1), ActionExpired { action });
        node.run(&mut stream);
        assert_eq!(stream.proposed(task(1)).len() == 2, given_up);
    }
}

#[test]
fn marks_in_vain_become_rare() {
    let (mut stream, mut node, _) = granted("");
    let early = stream.log.now;
    let mut marks = 0;
    for second in 1..=3_600 {
        stream.log.now = early.plus_ms(TTL + 1_000 * second);
        node.fetch(&stream);
        let says = node.says(&stream);
        stream.log.now = early;
        if !says.is_empty() {
            marks += 1;
            let action = stream.last(task(1));
            stream.say::<Worker, _>(task(1), ActionExpired { action });
        }
        node.read(&stream);
    }
    assert!((10..20).contains(&marks), "{marks}");
    stream.log.now = early.plus_ms(TTL + 1);
    let action = stream.last(task(1));
    stream.say::<Worker, _>(task(1), ActionExpired { action });
    node.run(&mut stream);
    assert_eq!(stream.proposed(task(1)).len(), 2);
}

#[test]
fn an_unknown_action_does_what_its_playbook_says() {
    let run = |step: &str| {
        let (mut stream, mut node, _) = started(step);
        stream.wait_ms(RUN + EXPIRY_MARGIN_MS + 1);
        node.run(&mut stream);
        (stream, node)
    };
    let (stream, _) = run("on_failure = \"continue\"\n");
    assert_eq!(failure(&stream), UNKNOWN);

    let (stream, _) = run("on_unknown = \"continue\"\n");
    let (outcome, detail) = stream.ended(task(1)).unwrap();
    assert_eq!(outcome, TaskOutcome::Succeeded);
    assert!(detail.unwrap().contains("step `a`: 1 unknown"));

    let (mut stream, mut node) = run("on_unknown = { retry = 1 }\n");
    let proposed = stream.proposed(task(1));
    let attempts: Vec<_> = proposed.iter().map(|p| p.attempt).collect();
    assert_eq!(attempts, [1, 2]);
    assert_ne!(proposed[0].action, proposed[1].action);
    stream.end(task(1), proposed[0].action, ActionOutcome::Succeeded);
    assert_eq!(node.run(&mut stream), []);
    stream.succeed(task(1), "");
    node.run(&mut stream);
    assert_eq!(stream.ended(task(1)), Some((TaskOutcome::Succeeded, None)));
}

//! Runs that fail are tried again as their job says, and runs that a later one replaces are not.

use bus_schema::{
    Deployment, Owner, Policy, RunCause, RunOrdered, StopReason, TaskId, TaskOutcome, TaskStopped,
    testing::event_id,
};

use crate::stream::{Scene, at, name, run, slots, task};

const TEN: &str = "every = \"10m\"";
const FAR: &str = "at = 2030-01-01T00:00:00Z";
const RETRY: &str = "retry = { attempts = 3, backoff = \"1m\", cap = \"90s\" }";
const NONE: [u64; 0] = [];

fn retried(of: TaskId) -> TaskId {
    run(1, RunCause::Retried(of))
}

/// A scene whose first run has begun at second 600.
fn running(head: &str) -> Scene {
    let mut scene = Scene::with(head, TEN);
    assert_eq!(scene.until(600), [600]);
    scene.admit(task(600));
    scene
}

#[test]
fn a_run_that_fails_is_tried_again_after_its_wait_and_at_most_so_often() {
    let mut scene = running(RETRY);
    scene.end(task(600), TaskOutcome::Failed);
    assert_eq!(scene.pass_to(659), []);
    assert_eq!(scene.timers[&name("j")], at(660));
    scene.restart(660);
    assert_eq!(scene.run(), [RunCause::Retried(task(600))]);
    let second = retried(task(600));
    scene.admit(second);
    scene.end(second, TaskOutcome::Failed);
    assert_eq!(scene.pass_to(749), []);
    assert_eq!(scene.pass_to(750), [RunCause::Retried(second)]);
    let third = retried(second);
    scene.admit(third);
    scene.end(third, TaskOutcome::Failed);
    assert_eq!(scene.pass_to(1_199), []);
    // The next slot is a run of its own.
    assert_eq!(scene.until(1_200), [1_200]);
}

#[test]
fn a_run_that_succeeded_was_cancelled_or_rejected_is_not_tried_again() {
    for outcome in [TaskOutcome::Succeeded, TaskOutcome::Cancelled] {
        let mut scene = running(RETRY);
        scene.end(task(600), outcome);
        assert_eq!(scene.pass_to(1_100), [], "{outcome:?}");
    }
    let mut scene = Scene::with(RETRY, TEN);
    assert_eq!(scene.until(600), [600]);
    let code = bus_schema::RefusalCode::Limit;
    scene.say::<Policy, _>(task(600), bus_schema::TaskRejected { code, why: None });
    assert_eq!(scene.pass_to(1_100), []);
    let mut scene = running("");
    scene.end(task(600), TaskOutcome::Failed);
    assert_eq!(scene.pass_to(1_100), []);
}

#[test]
fn a_run_that_was_stopped_at_its_deadline_failed_and_one_that_was_replaced_did_not() {
    for (why, wanted) in [(StopReason::Deadline, 1), (StopReason::Replaced, 0)] {
        let mut scene = running(RETRY);
        scene.say::<Policy, _>(task(600), TaskStopped { why });
        scene.end(task(600), TaskOutcome::Cancelled);
        assert_eq!(scene.pass_to(1_100).len(), wanted, "{why:?}");
    }
}

#[test]
fn a_retry_waits_for_the_end_of_another_run() {
    let mut scene = running(&format!("{RETRY}\nmisfire = \"skip\""));
    scene.log.now = at(1_190);
    scene.end(task(600), TaskOutcome::Failed);
    assert_eq!(scene.until(1_200), [1_200]);
    assert_eq!(scene.pass_to(1_300), []);
    scene.finish(task(1_200));
    assert_eq!(scene.run(), [RunCause::Retried(task(600))]);
}

#[test]
fn another_version_of_the_job_tries_nothing_again() {
    let mut scene = running(RETRY);
    scene.end(task(600), TaskOutcome::Failed);
    scene.sign(2, RETRY, FAR);
    assert_eq!(scene.pass_to(3_000), []);
}

#[test]
fn a_dead_letter_runs_again_by_an_order_of_the_owner() {
    let mut scene = running("retry = { attempts = 2 }");
    scene.end(task(600), TaskOutcome::Failed);
    let second = retried(task(600));
    assert_eq!(scene.pass_to(660).len(), 1);
    scene.admit(second);
    scene.end(second, TaskOutcome::Failed);
    assert_eq!(scene.pass_to(1_100), []);
    let order = RunOrdered {
        job: name("j"),
        version: 1,
        again: Some(second),
    };
    scene.say::<Owner, _>(Deployment, order);
    let id = event_id(scene.log.seq);
    assert_eq!(scene.run(), [RunCause::Ordered(id)]);
    let ordered = run(1, RunCause::Ordered(id));
    scene.admit(ordered);
    // It has all attempts of the job.
    scene.end(ordered, TaskOutcome::Failed);
    assert_eq!(scene.pass_to(1_160), [RunCause::Retried(ordered)]);
}

#[test]
fn a_slot_takes_the_place_of_the_run_that_goes_on() {
    let mut scene = running("overlap = \"cancel\"");
    assert_eq!(scene.until(1_200), [1_200]);
    assert_eq!(scene.until(1_799), NONE);
    scene.say::<Policy, _>(
        task(600),
        TaskStopped {
            why: StopReason::Replaced,
        },
    );
    scene.end(task(600), TaskOutcome::Cancelled);
    assert_eq!(scene.core.open(), 1);
    // Of missed ones, the last is enough.
    scene.restart(4_300);
    assert_eq!(slots(&scene.run()), [4_200]);
}

#[test]
fn so_many_slots_wait_for_the_end_of_a_run() {
    let mut scene = running("overlap = { queue = 2 }\nmisfire = { all = 100 }");
    assert_eq!(scene.until(3_100), NONE);
    let mut done = vec![600];
    while scene.core.open() > 0 {
        let last = *done.last().expect("a slot");
        scene.finish(task(last));
        done.extend(slots(&scene.run()));
    }
    assert_eq!(done, [600, 2_400, 3_000]);
}

#[test]
fn jitter_moves_each_run_behind_its_slot() {
    let mut scene = Scene::with("overlap = \"allow\"\njitter = \"9m\"", TEN);
    scene.run();
    let first = scene.timers[&name("j")];
    assert!(first > at(600) && first < at(1_200), "{first}");
    scene.log.now = at(600);
    assert_eq!(scene.run(), []);
    assert_eq!(
        scene.until(6_599),
        [
            600, 1_200, 1_800, 2_400, 3_000, 3_600, 4_200, 4_800, 5_400, 6_000
        ]
    );
}

#[test]
fn a_job_runs_once_after_each_run_of_another_that_ends_so() {
    for (outcome, wanted) in [("succeeded", 1), ("failed", 1), ("ended", 3)] {
        let mut scene = Scene::with("overlap = \"allow\"", TEN);
        scene.run();
        let when = format!("after = {{ job = \"j\", outcome = \"{outcome}\" }}");
        scene.sign_as("k", 1, "overlap = \"allow\"", &when);
        let mut all = Vec::new();
        let ends = [
            TaskOutcome::Succeeded,
            TaskOutcome::Failed,
            TaskOutcome::Cancelled,
        ];
        for (n, end) in (1..).zip(ends) {
            assert_eq!(scene.until(n * 600), [n * 600]);
            scene.admit(task(n * 600));
            scene.end(task(n * 600), end);
            all.extend(scene.run());
        }
        assert_eq!(all.len(), wanted, "{outcome}: {all:?}");
        assert!(all.iter().all(|cause| matches!(cause, RunCause::After(_))));
        scene.restart(2_000);
        assert_eq!(scene.run(), []);
    }
}

//! Each slot is said once, in time, and as the job says after a pause, a run or a downtime.

use actor::Core as _;
use bus_schema::testing::event_id;
use bus_schema::{
    Deployment, JobPaused, JobResumed, JobRevoked, Owner, Policy, RefusalCode, RunCause,
    RunOrdered, TaskOutcome, TaskRejected, Worker,
};
use scheduler::{Input, LATE_TIMER_MS, RUNS_MAX};

use crate::stream::{Scene, at, name, slots, task};

const NONE: [u64; 0] = [];
const TEN: &str = "every = \"10m\"";
const ALLOW: &str = "overlap = \"allow\"";

#[test]
fn each_slot_is_said_once_and_the_next_timer_is_set() {
    let mut scene = Scene::with(ALLOW, TEN);
    assert_eq!(scene.until(0), NONE);
    assert_eq!(scene.timers[&name("j")], at(600));
    assert_eq!(scene.until(599), NONE);
    assert_eq!(scene.until(1_900), [600, 1_200, 1_800]);
    assert_eq!(scene.timers[&name("j")], at(2_400));
    scene.restart(1_901);
    assert_eq!(scene.until(2_399), NONE);
    assert_eq!(scene.until(2_400), [2_400]);
    assert_eq!(scene.core.open(), 4);
}

#[test]
fn a_timer_that_is_lost_is_replaced_by_the_estimate_of_bus_time() {
    let mut scene = Scene::with(ALLOW, TEN);
    scene.run();
    scene.fires = false;
    scene.log.now = at(600).plus_ms(LATE_TIMER_MS - 1);
    assert_eq!(scene.run(), []);
    scene.log.now = at(600).plus_ms(LATE_TIMER_MS);
    assert_eq!(slots(&scene.run()), [600]);
    assert_eq!(scene.timers[&name("j")], at(1_200));
}

#[test]
fn a_timer_shows_how_far_bus_time_is_and_makes_nothing_due() {
    let mut scene = Scene::with(ALLOW, TEN);
    scene.run();
    // The estimate is behind: only the timer knows.
    scene.core.input(Input::Fired(name("j"), at(600)));
    assert_eq!(slots(&scene.run()), [600]);
    scene.core.input(Input::Fired(name("j"), at(600)));
    scene.core.input(Input::Fired(name("other"), at(700)));
    assert_eq!(scene.run(), []);
}

#[test]
fn after_a_downtime_the_job_decides_about_missed_slots() {
    let all: &[u64] = &[1_800, 2_400, 3_000];
    for (misfire, wanted) in [
        ("\"skip\"", &[] as &[u64]),
        ("\"once\"", &[3_000]),
        ("{ all = 3 }", all),
        ("{ all = 100 }", &[600, 1_200, 1_800, 2_400, 3_000]),
    ] {
        let mut scene = Scene::with(&format!("{ALLOW}\nmisfire = {misfire}"), TEN);
        scene.run();
        scene.restart(3_100);
        assert_eq!(slots(&scene.run()), wanted, "{misfire}");
        assert_eq!(scene.until(3_599), NONE, "{misfire}");
        assert_eq!(scene.until(3_600), [3_600], "{misfire}");
    }
    // Within a minute, nothing is missed.
    let mut scene = Scene::with("misfire = \"skip\"", TEN);
    scene.run();
    scene.restart(3_060);
    assert_eq!(slots(&scene.run()), [3_000]);
}

#[test]
fn missed_slots_are_made_up_for_one_after_another() {
    for overlap in ["skip", "queue"] {
        let head = format!("overlap = \"{overlap}\"\nmisfire = {{ all = 3 }}");
        let mut scene = Scene::with(&head, TEN);
        scene.run();
        scene.restart(3_100);
        for (second, slot) in [(3_100, 1_800), (3_110, 2_400), (3_120, 3_000)] {
            scene.log.now = at(second);
            assert_eq!(slots(&scene.run()), [slot], "{overlap}");
            assert_eq!(scene.run(), [], "{overlap}");
            scene.finish(task(slot));
        }
        assert_eq!(scene.run(), [], "{overlap}");
    }
}

#[test]
fn slots_during_a_run_are_passed_over_queued_or_run_beside_it() {
    for (overlap, during, after) in [
        ("skip", &[] as &[u64], &[] as &[u64]),
        ("queue", &[], &[1_800]),
        ("allow", &[1_200, 1_800], &[]),
    ] {
        let mut scene = Scene::with(&format!("overlap = \"{overlap}\""), TEN);
        assert_eq!(scene.until(600), [600]);
        assert_eq!(scene.until(1_900), during, "{overlap}");
        scene.finish(task(600));
        assert_eq!(slots(&scene.run()), after, "{overlap}");
        if overlap == "queue" {
            scene.finish(task(1_800));
        }
        assert_eq!(scene.until(2_400), [2_400], "{overlap}");
    }
}

#[test]
fn a_job_has_a_bounded_number_of_runs() {
    let mut scene = Scene::with(ALLOW, "every = \"1s\"");
    let first: Vec<u64> = (1..=RUNS_MAX as u64).collect();
    assert_eq!(scene.until(60), first);
    scene.finish(task(3));
    assert_eq!(slots(&scene.run()), [60]);
}

#[test]
fn only_its_end_by_the_worker_or_a_rejection_by_policy_ends_a_run() {
    let mut scene = Scene::with("", TEN);
    assert_eq!(scene.until(600), [600]);
    scene.admit(task(600));
    // A submission of the same id is rejected later; the run goes on.
    let code = RefusalCode::BadStatement;
    scene.say::<Policy, _>(task(600), TaskRejected { code, why: None });
    let fact = bus_schema::TaskFinished {
        outcome: TaskOutcome::Succeeded,
        detail: None,
    };
    scene.say::<bus_schema::Engine, _>(task(600), fact.clone());
    assert_eq!(scene.core.open(), 1);
    assert_eq!(scene.until(1_200), NONE);
    scene.say::<Worker, _>(task(600), fact);
    assert_eq!(scene.core.open(), 0);
    assert_eq!(scene.until(1_800), [1_800]);
    scene.say::<Policy, _>(task(1_800), TaskRejected { code, why: None });
    assert_eq!(scene.until(2_400), [2_400]);
}

#[test]
fn a_revoked_or_paused_job_has_no_runs() {
    let mut scene = Scene::with(ALLOW, TEN);
    assert_eq!(scene.until(600), [600]);
    let job = || name("j");
    scene.say::<Owner, _>(Deployment, JobPaused { job: job() });
    assert_eq!(scene.until(1_900), NONE);
    scene.say::<Owner, _>(Deployment, JobResumed { job: job() });
    assert_eq!(scene.until(2_400), [2_400]);
    let (job, version) = (name("j"), 1);
    scene.say::<Owner, _>(Deployment, JobRevoked { job, version });
    assert_eq!(scene.until(6_000), NONE);
    scene.restart(6_001);
    assert_eq!(scene.run(), []);
}

#[test]
fn a_new_version_has_slots_from_its_signature_on() {
    let mut scene = Scene::with(ALLOW, TEN);
    assert_eq!(scene.until(900), [600]);
    scene.sign(2, ALLOW, "every = \"5m\"");
    assert_eq!(scene.until(1_100), NONE);
    assert_eq!(scene.until(1_200), [1_200]);
    assert_eq!(scene.until(1_500), [1_500]);
}

#[test]
fn an_order_runs_once_at_once_and_not_for_another_version() {
    let mut scene = Scene::with("", TEN);
    scene.run();
    let order = |version| RunOrdered {
        job: name("j"),
        version,
        again: None,
    };
    scene.say::<Owner, _>(Deployment, order(2));
    assert_eq!(scene.run(), []);
    scene.say::<Owner, _>(Deployment, order(1));
    let id = event_id(scene.log.seq);
    assert_eq!(scene.run(), [RunCause::Ordered(id)]);
    scene.restart(1);
    assert_eq!(scene.run(), []);
    scene.say::<Owner, _>(Deployment, order(1));
    scene.sign(2, "", TEN);
    assert_eq!(scene.run(), []);
}

#[test]
fn of_two_schedulers_with_one_key_one_says_each_slot() {
    let (mut one, mut two) = (Scene::with(ALLOW, TEN), Scene::with(ALLOW, TEN));
    one.run();
    two.run();
    for slot in [600, 1_200] {
        (one.log.now, two.log.now) = (at(slot + 2), at(slot + 2));
        let (first, second) = (one.next(), two.next());
        assert_eq!((first.len(), &first), (1, &second));
        // The compare-and-set stores only the first; the second one reads it.
        one.append(first);
        two.log = one.log.clone();
        two.fold();
        assert_eq!((one.run(), two.run()), (vec![], vec![]));
    }
}

#[test]
fn an_erased_document_stops_its_job_alone() {
    let mut scene = Scene::new();
    scene.sign(1, ALLOW, TEN);
    let documents: Vec<_> = scene.log.contents.keys().copied().collect();
    for (by, digest) in documents {
        scene.log.contents.remove(&(by, digest));
    }
    assert_eq!(scene.until(2_000), NONE);
    scene.sign(2, ALLOW, TEN);
    assert_eq!(scene.until(2_600), [2_600]);
}

#[test]
fn timers_that_cannot_be_read_are_a_trouble_until_they_are() {
    let mut scene = Scene::with(ALLOW, TEN);
    assert_eq!(scene.core.trouble(), None);
    scene.core.input(Input::Deaf("no such consumer".to_owned()));
    assert_eq!(scene.core.trouble(), Some("no such consumer"));
    scene.core.input(Input::Listening);
    assert_eq!(scene.core.trouble(), None);
}

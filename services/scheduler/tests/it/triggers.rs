//! Messages from outside start the jobs that the owner gave to them, each message once.

use actor::Core as _;
use bus_schema::{
    Deployment, Digest, JobPaused, JobResumed, MessageRefusal, Owner, RunCause, Salt, Sealed,
};
use scheduler::{Input, RUNS_MAX, TriggerMessage};

use crate::stream::{Scene, at, name, run};

const ON: &str = "trigger = \"cli.build\"";

/// A message at a place, of a subject and with an id, stored at a second.
pub(crate) fn message(scene: &mut Scene, seq: u64, of: (&str, u8), second: u64) {
    saying(scene, seq, of, second, "{}");
}

pub(crate) fn saying(
    scene: &mut Scene,
    seq: u64,
    (subject, id): (&str, u8),
    second: u64,
    body: &str,
) {
    let salt = Salt::new([seq as u8; 32]);
    let sealed = Sealed::new(salt, body.as_bytes()).expect("a small content");
    let trigger = TriggerMessage {
        seq,
        subject: subject.to_owned(),
        key: Digest::of(&[&[id]]),
        stored: at(second),
    };
    scene.core.input(Input::Triggered(trigger, sealed));
}

#[test]
fn a_message_starts_one_run_also_when_it_comes_again() {
    let mut scene = Scene::with("overlap = \"allow\"", ON);
    scene.run();
    message(&mut scene, 1, ("cli.build", 1), 1);
    assert_eq!(scene.run().len(), 1);
    assert_eq!(scene.took, [1]);
    // The same message at another place, and after a restart before it was acknowledged.
    message(&mut scene, 2, ("cli.build", 1), 2);
    assert!(scene.run().is_empty());
    scene.restart(3);
    message(&mut scene, 1, ("cli.build", 1), 1);
    assert!(scene.run().is_empty());
    message(&mut scene, 3, ("cli.build", 2), 4);
    assert_eq!(scene.run().len(), 1);
    assert_eq!(scene.took, [1, 2, 1, 3]);
    assert_eq!(scene.core.open(), 2);
}

#[test]
fn a_message_that_no_job_wants_or_from_before_its_signature_starts_nothing() {
    let mut scene = Scene::with("", ON);
    scene.run();
    message(&mut scene, 1, ("cli.other", 1), 5);
    message(&mut scene, 2, ("cli.build", 2), 0);
    assert!(scene.run().is_empty());
    scene.log.now = at(10);
    let job = || name("j");
    scene.say::<Owner, _>(Deployment, JobPaused { job: job() });
    message(&mut scene, 3, ("cli.build", 3), 11);
    assert!(scene.run().is_empty());
    scene.log.now = at(20);
    scene.say::<Owner, _>(Deployment, JobResumed { job: job() });
    message(&mut scene, 4, ("cli.build", 4), 15);
    assert!(scene.run().is_empty());
    message(&mut scene, 5, ("cli.build", 5), 21);
    assert_eq!(scene.run().len(), 1);
    assert_eq!(scene.took, [1, 2, 3, 4, 5]);
}

#[test]
fn messages_during_a_run_are_passed_over_or_wait_for_its_end() {
    for (overlap, later) in [("skip", 0), ("queue", 1)] {
        let mut scene = Scene::with(&format!("overlap = \"{overlap}\""), ON);
        scene.run();
        message(&mut scene, 1, ("cli.build", 1), 1);
        let first = scene.run();
        message(&mut scene, 2, ("cli.build", 2), 2);
        message(&mut scene, 3, ("cli.build", 3), 3);
        assert!(scene.run().is_empty(), "{overlap}");
        scene.finish(run(1, first[0]));
        assert_eq!(scene.run().len(), later, "{overlap}");
        let done = if later == 0 { 3 } else { 2 };
        assert_eq!(scene.took.len(), done, "{overlap}");
    }
}

#[test]
fn a_flood_of_messages_has_a_bounded_number_of_runs() {
    let mut scene = Scene::with("overlap = \"allow\"", ON);
    scene.run();
    for n in 1..=40 {
        message(&mut scene, n, ("cli.build", n as u8), n);
    }
    let all = scene.run();
    assert_eq!((all.len(), scene.core.open()), (RUNS_MAX, RUNS_MAX));
    scene.finish(run(1, all[0]));
    assert_eq!(scene.run().len(), 1);
}

const KEYED: &str = "overlap = \"allow\"\n[message]\nkey = \"id\"\nonly.ref = \"main\"\n";

/// A scene with a job that reads messages: these lines stand before its `[when]`.
pub(crate) fn reading(lines: &str) -> Scene {
    let mut scene = Scene::with(lines, ON);
    scene.run();
    scene
}

#[test]
fn a_message_that_a_condition_leaves_out_starts_nothing_and_equal_fields_are_one_run() {
    let mut scene = reading(KEYED);
    saying(
        &mut scene,
        1,
        ("cli.build", 1),
        1,
        r#"{"id": 1, "ref": "main"}"#,
    );
    saying(
        &mut scene,
        2,
        ("cli.build", 2),
        2,
        r#"{"id": 1, "ref": "main"}"#,
    );
    saying(
        &mut scene,
        3,
        ("cli.build", 3),
        3,
        r#"{"id": 2, "ref": "other"}"#,
    );
    saying(
        &mut scene,
        4,
        ("cli.build", 4),
        4,
        r#"{"id": 3, "ref": "main"}"#,
    );
    assert_eq!(scene.run().len(), 2);
    scene.restart(5);
    saying(
        &mut scene,
        5,
        ("cli.build", 5),
        5,
        r#"{"id": 3, "ref": "main"}"#,
    );
    assert!(scene.run().is_empty());
    assert_eq!((scene.took.len(), scene.refused.len()), (5, 0));
}

#[test]
fn messages_of_another_shape_are_counted_once_a_minute() {
    let mut scene = reading(KEYED);
    for n in 1..=5 {
        saying(&mut scene, n, ("cli.build", n as u8), n, "no JSON");
        scene.log.now = at(n);
        assert!(scene.run().is_empty());
    }
    assert_eq!(scene.took.len(), 5);
    let counts =
        |scene: &Scene| -> Vec<u32> { scene.refused.iter().map(|one| one.count).collect() };
    assert_eq!(counts(&scene), [1]);
    scene.log.now = at(61);
    assert!(scene.run().is_empty());
    assert_eq!(counts(&scene), [1, 4]);
    let last = scene.refused.last().expect("an event");
    assert_eq!((last.why, last.last), (MessageRefusal::Shape, at(5)));
}

#[test]
fn a_job_has_at_most_so_many_runs_in_a_time_and_the_rest_is_counted() {
    let mut scene = reading("overlap = \"allow\"\n[message]\nrate = { runs = 3, per = \"1h\" }\n");
    for n in 1..=200 {
        message(&mut scene, n, ("cli.build", n as u8), n);
        scene.log.now = at(n);
        scene.run();
    }
    assert_eq!((scene.core.open(), scene.took.len()), (3, 200));
    let refused: u32 = scene.refused.iter().map(|one| one.count).sum();
    assert!(
        scene.refused.len() < 6 && refused > 100,
        "{:?}",
        scene.refused
    );
    scene.log.now = at(3_601);
    message(&mut scene, 201, ("cli.build", 201), 3_601);
    assert_eq!(scene.run().len(), 1);
}

#[test]
fn of_messages_in_quick_succession_the_last_one_runs() {
    let mut scene = reading("[message]\ndebounce = \"10s\"\n");
    for n in 1..=3 {
        message(&mut scene, n, ("cli.build", n as u8), n * 5);
        scene.log.now = at(n * 5);
        assert!(scene.run().is_empty());
    }
    scene.log.now = at(24);
    assert!(scene.run().is_empty());
    scene.log.now = at(25);
    let key = Digest::of(&[&[3]]);
    let all = scene.run();
    assert!(
        matches!(all[..], [RunCause::Triggered { key: of, .. }] if of == key),
        "{all:?}"
    );
    assert_eq!(scene.took, [1, 2, 3]);
}

#[test]
fn so_many_messages_wait_for_the_end_of_a_run() {
    let mut scene = reading("overlap = { queue = 2 }");
    for n in 1..=9 {
        message(&mut scene, n, ("cli.build", n as u8), n);
    }
    let mut all = scene.run();
    let mut done = 0;
    while done < all.len() {
        scene.finish(run(1, all[done]));
        done += 1;
        all.extend(scene.run());
    }
    assert_eq!((all.len(), scene.took.len()), (3, 9));
    let refused: u32 = scene.refused.iter().map(|one| one.count).sum();
    assert!(refused >= 1, "{:?}", scene.refused);
}

#[test]
fn messages_during_a_run_that_are_passed_over_are_counted() {
    let mut scene = reading("overlap = \"skip\"");
    message(&mut scene, 1, ("cli.build", 1), 1);
    let first = scene.run();
    assert_eq!(first.len(), 1);
    for n in 2..=50 {
        message(&mut scene, n, ("cli.build", n as u8), n);
        scene.log.now = at(n);
        assert!(scene.run().is_empty());
    }
    scene.log.now = at(120);
    assert!(scene.run().is_empty());
    assert_eq!(scene.took.len(), 50);
    let refused: u32 = scene.refused.iter().map(|one| one.count).sum();
    assert_eq!((refused, scene.refused.len()), (49, 2));
    let why = |one: &bus_schema::TriggerRefused| one.why == MessageRefusal::Overlap;
    assert!(scene.refused.iter().all(why));
    scene.finish(run(1, first[0]));
    message(&mut scene, 51, ("cli.build", 51), 121);
    scene.log.now = at(121);
    assert_eq!(scene.run().len(), 1);
}

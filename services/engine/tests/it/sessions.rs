//! Sessions: only what their keys sign is proposed, once, and they end as their keys or the owner say.

use bus_schema::{
    ActionExpired, ActionProposed, ActionRefused, CallStatement, Engine, Owner, Policy,
    RefusalCode, Signed, Statement, TaskCancelled, TaskId, TaskOutcome, Worker,
};
use ed25519_dalek::SigningKey;
use engine::{CALLS_MAX, IDLE_MS, OPEN_CALLS_MAX};

use crate::stream::{Said, Scene, session_key, uuid};

/// A change of a call before it is signed.
type Falsify = fn(&mut CallStatement);

fn task() -> TaskId {
    uuid(7)
}

fn proposed(number: u16, args: &str) -> Said {
    let step = format!("call-{number}");
    Said::Proposed(step, number, "file.read".to_owned(), args.to_owned())
}

#[test]
fn a_signed_call_is_proposed_once_with_its_arguments() {
    let mut scene = Scene::of(task());
    scene.call(task(), 0, "{\"path\":\"a\"}");
    assert_eq!(scene.run(), [proposed(0, "{\"path\":\"a\"}")]);
    // The same number again, with other arguments, and the same message again.
    scene.call(task(), 0, "{\"path\":\"b\"}");
    assert_eq!(scene.run(), []);
    scene.restart();
    assert_eq!(scene.run(), []);
    scene.call(task(), 3, "{}");
    assert_eq!(scene.run(), [proposed(3, "{}")]);
}

#[test]
fn only_the_key_of_the_session_makes_calls_in_it() {
    let other = SigningKey::from_bytes(&[78; 32]);
    let key = session_key();
    let changes: [(&str, Falsify); 4] = [
        ("another session", |said| said.task = uuid(8)),
        ("another deployment", |said| said.deployment = uuid(9)),
        ("a number too high", |said| said.number = CALLS_MAX),
        ("nothing", |_| ()),
    ];
    for (change, apply) in changes {
        for (key, is_own) in [(&key, true), (&other, false)] {
            let mut scene = Scene::of(task());
            let mut said = scene.statement(task(), 0, "{}");
            apply(&mut said);
            let args = said.args;
            scene.carry(task(), Signed::new(&Statement::Call(said), key), args);
            let calls = usize::from(is_own && change == "nothing");
            assert_eq!(scene.run().len(), calls, "{change} {is_own}");
        }
    }
    // Other arguments than the signed ones.
    let mut scene = Scene::of(task());
    let said = scene.statement(task(), 0, "{}");
    let others = scene.statement(task(), 0, "{\"path\":\"x\"}").args;
    scene.carry(task(), Signed::new(&Statement::Call(said), &key), others);
    assert_eq!(scene.run(), []);
}

#[test]
fn a_task_with_a_playbook_is_no_session() {
    let mut scene = Scene::new();
    scene.admit(task(), None);
    scene.call(task(), 0, "{}");
    assert_eq!((scene.run(), scene.core.open()), (vec![], 0));
}

#[test]
fn a_session_ends_once_no_action_is_open() {
    let mut scene = Scene::of(task());
    scene.call(task(), 0, "{}");
    scene.run();
    let action = scene.proposals()[0].action;
    scene.end(task(), &SigningKey::from_bytes(&[78; 32]));
    scene.end(task(), &session_key());
    scene.call(task(), 1, "{}");
    assert_eq!(scene.run(), []);
    scene.succeed(task(), action);
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Succeeded)]);
    assert_eq!(scene.core.open(), 0);
}

#[test]
fn the_owner_ends_a_session() {
    let mut scene = Scene::of(task());
    scene.call(task(), 0, "{}");
    scene.say::<Owner, _>(task(), TaskCancelled {});
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Cancelled)]);
}

#[test]
fn a_bounded_number_of_calls_is_open_at_once() {
    let mut scene = Scene::of(task());
    let most = u16::try_from(OPEN_CALLS_MAX).unwrap();
    for number in 0..most + 2 {
        scene.call(task(), number, "{}");
    }
    assert_eq!(scene.run().len(), OPEN_CALLS_MAX);
    let action = scene.proposals()[0].action;
    let refused = ActionRefused {
        action,
        code: RefusalCode::NotAllowed,
        rule: "builtin.default-deny".parse().unwrap(),
        why: None,
    };
    scene.say::<Policy, _>(task(), refused);
    assert_eq!(scene.run(), [proposed(most, "{}")]);
}

#[test]
fn a_grant_that_nobody_claims_is_recorded_and_not_proposed_again() {
    let mut scene = Scene::of(task());
    scene.call(task(), 0, "{}");
    scene.run();
    let action = scene.proposals()[0].action;
    scene.grant(task(), action);
    scene.log.now = scene.log.now.plus_ms(60_000);
    assert_eq!(scene.run(), [Said::Expired]);
    scene.end(task(), &session_key());
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Succeeded)]);
}

#[test]
fn a_session_without_calls_ends_after_a_day() {
    let mut scene = Scene::of(task());
    scene.log.now = scene.log.now.plus_ms(IDLE_MS);
    assert_eq!(scene.run(), []);
    scene.log.now = scene.log.now.plus_ms(1);
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Succeeded)]);
}

#[test]
fn another_author_neither_proposes_in_a_session_nor_ends_it() {
    let mut scene = Scene::of(task());
    scene.call(task(), 0, "{}");
    let args = scene.statement(task(), 0, "{}").args;
    let fact = ActionProposed {
        action: uuid(30),
        step: "call-0".parse().unwrap(),
        index: 0,
        item: 0,
        items: 1,
        attempt: 1,
        tool: "file.read".parse().unwrap(),
        args,
    };
    scene.say::<Worker, _>(task(), fact);
    let outcome = TaskOutcome::Failed;
    let detail = None;
    scene.say::<Worker, _>(task(), bus_schema::TaskFinished { outcome, detail });
    assert_eq!(scene.run(), [proposed(0, "{}")]);
    scene.say::<Engine, _>(task(), ActionExpired { action: uuid(30) });
    assert_eq!(scene.core.open(), 1);
}

#[test]
fn a_restart_anywhere_changes_nothing() {
    let script: [fn(&mut Scene); 6] = [
        |scene| scene.call(task(), 0, "{}"),
        |scene| {
            let action = scene.proposals()[0].action;
            scene.grant(task(), action);
        },
        |scene| scene.call(task(), 1, "{\"path\":\"b\"}"),
        |scene| {
            let action = scene.proposals()[1].action;
            scene.succeed(task(), action);
        },
        |scene| scene.log.now = scene.log.now.plus_ms(60_000),
        |scene| scene.end(task(), &session_key()),
    ];
    let run = |restarts: &dyn Fn(usize) -> bool| {
        let mut scene = Scene::of(task());
        let mut all = Vec::new();
        for (at, step) in script.iter().enumerate() {
            step(&mut scene);
            if restarts(at) {
                scene.restart();
            }
            all.extend(scene.run());
        }
        all
    };
    let whole = run(&|_| false);
    assert_eq!(whole.len(), 4);
    for at in 0..script.len() {
        assert_eq!(run(&|step| step == at), whole, "{at}");
    }
    assert_eq!(run(&|_| true), whole);
}

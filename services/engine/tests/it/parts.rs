//! Requests in parts: a conversation is stored once, and not again with each request.

use bus_schema::{AFTER, ActionOutcome, ActionRefused, Policy, RefusalCode};
use serde_json::{Value, json};

use crate::dialogues::{answer, document, step, task};
use crate::stream::{Said, Scene};

/// The turns of the long dialogue.
const TURNS: usize = 24;

fn long() -> Scene {
    let mut document = document();
    document.steps_max = 100;
    Scene::dialogue_of(&document)
}

/// The model calls once, and the call has a result of 1 KiB; returns the next request.
fn turn(scene: &mut Scene, nth: usize) -> Said {
    let args = format!("{{\"path\":\"{nth}\"}}");
    let calls = [("file_read", args.as_str())];
    scene.answered(ActionOutcome::Succeeded, &answer("I read.", &calls));
    scene.run();
    scene.succeeded(scene.newest().action, &format!("{nth:01024}"));
    scene.run().pop().unwrap()
}

/// The bytes of the arguments of a request.
fn stored(said: &Said) -> usize {
    let Said::Proposed(_, _, _, args) = said else {
        panic!("{said:?} is no proposal");
    };
    args.len()
}

fn is_whole(said: &Said) -> bool {
    let (_, args) = step(said);
    assert_eq!(args.get(AFTER).is_none(), args.get("tools").is_some());
    args.get(AFTER).is_none()
}

/// The newest request is refused by this rule.
fn refused_by(scene: &mut Scene, rule: &str) {
    let fact = ActionRefused {
        action: scene.newest().action,
        rule: rule.parse().unwrap(),
        code: RefusalCode::Arguments,
        why: None,
    };
    scene.say::<Policy, _>(task(), fact);
}

#[test]
fn the_stored_bytes_of_a_dialogue_grow_with_its_turns() {
    let mut scenes = [long(), long()];
    let mut before: Vec<Value> = Vec::new();
    let mut bytes = Vec::new();
    for nth in 0..TURNS {
        let said = scenes.each_mut().map(|scene| match nth {
            0 => scene.run().pop().unwrap(),
            nth => turn(scene, nth),
        });
        // The second engine restarts after each turn, and says the same.
        scenes[1].restart();
        let [own, again] = [0, 1].map(|n| scenes[n].messages(&said[n]));
        assert_eq!(own, again);
        // The request before is the unchanged beginning of this one.
        assert!(own.starts_with(&before) && own.len() > before.len());
        assert_eq!(is_whole(&said[0]), nth == 0);
        before = own;
        bytes.push(stored(&said[0]));
    }
    let whole = Value::from(before).to_string().len();
    assert!(whole > TURNS << 10, "{whole}");
    // Each request after the first stores one answer, one result and the name of the request before, however many there were.
    let (least, most) = (bytes[1..].iter().min(), bytes[1..].iter().max());
    assert!(most.unwrap() - least.unwrap() < 16, "{bytes:?}");
    assert!(bytes.iter().sum::<usize>() < 2 * whole, "{bytes:?}");
}

#[test]
fn refused_parts_are_sent_whole_and_so_is_what_follows() {
    let mut scene = long();
    scene.run();
    let said = turn(&mut scene, 1);
    assert!(!is_whole(&said));
    let parts = scene.messages(&said);
    refused_by(&mut scene, "parts");
    let said = scene.run().pop().unwrap();
    assert!(is_whole(&said));
    assert_eq!(scene.messages(&said), parts);
    assert!(is_whole(&turn(&mut scene, 2)));
    // A second refusal is the end, as every other one.
    refused_by(&mut scene, "arguments");
    assert!(matches!(scene.run()[..], [Said::Finished(_)]));
}

#[test]
fn after_an_erasure_a_request_is_whole_again() {
    let mut scene = long();
    scene.run();
    turn(&mut scene, 1);
    scene.log.erase(scene.newest().args);
    scene.restart();
    let said = turn(&mut scene, 2);
    assert!(is_whole(&said));
    assert_eq!(
        scene.messages(&said)[0],
        json!({"role": "system", "content": "Be brief."})
    );
    assert!(!is_whole(&turn(&mut scene, 3)));
}

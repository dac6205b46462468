//! A job takes several messages into one run, each message once.

use bus_schema::{Digest, RunCause, RunDue, batch_key};
use job::{BATCH_BYTES_MAX, batch_of};

use crate::{
    stream::{Scene, at, run},
    triggers::{message, reading, saying},
};

const THREE: &str = "overlap = \"queue\"\n[message]\nbatch = { messages = 3, wait = \"1m\" }\n";

fn keys(ids: &[u8]) -> Vec<Digest> {
    ids.iter().map(|id| Digest::of(&[&[*id]])).collect()
}

/// Appends what the scheduler says, and returns the keys of the messages of each run.
fn runs(scene: &mut Scene) -> Vec<Vec<Digest>> {
    let said: Vec<RunDue> = scene.next();
    let keys = said.iter().map(|due| due.messages.clone()).collect();
    scene.append(said);
    keys
}

#[test]
fn a_batch_is_complete_with_its_number_or_after_its_time() {
    let mut scene = reading(THREE);
    for n in 1..=4 {
        message(&mut scene, n, ("cli.build", n as u8), n);
    }
    let said = scene.next();
    let [due] = &said[..] else { panic!("{said:?}") };
    assert_eq!(due.messages, keys(&[1, 2, 3]));
    let first = due.cause;
    let RunCause::Triggered { key, body } = first else {
        panic!("{due:?}")
    };
    assert_eq!(key, batch_key(&keys(&[1, 2, 3])));
    assert_eq!(body.len() as usize, batch_of(&[b"{}".as_slice(); 3]).len());
    scene.append(said);
    assert_eq!(runs(&mut scene), [[]; 0]);
    assert_eq!(scene.took, [1, 2, 3]);
    scene.finish(run(1, first));
    // The fourth one waits a minute for others, since it was stored.
    scene.log.now = at(63);
    assert_eq!(runs(&mut scene), [[]; 0]);
    scene.log.now = at(64);
    assert_eq!(runs(&mut scene), [keys(&[4])]);
    assert_eq!(runs(&mut scene), [[]; 0]);
    assert_eq!(scene.took, [1, 2, 3, 4]);
}

#[test]
fn a_message_is_in_one_batch_also_after_a_restart_and_when_it_comes_again() {
    let mut scene = reading(THREE);
    for (seq, id) in [(1, 1), (2, 1), (3, 2)] {
        message(&mut scene, seq, ("cli.build", id), seq);
    }
    assert_eq!(runs(&mut scene), [[]; 0]);
    // Before the batch is on the record, a restart loses nothing: the server sends them again.
    scene.restart(5);
    for (seq, id) in [(1, 1), (2, 1), (3, 2), (4, 3)] {
        message(&mut scene, seq, ("cli.build", id), seq);
    }
    assert_eq!(runs(&mut scene), [keys(&[1, 2, 3])]);
    scene.restart(70);
    for (seq, id) in [(1, 1), (2, 1), (3, 2), (4, 3), (5, 2)] {
        message(&mut scene, seq, ("cli.build", id), seq);
    }
    assert_eq!(runs(&mut scene), [[]; 0]);
    assert_eq!(scene.took, [1, 2, 3, 4, 5]);
}

#[test]
fn messages_that_fill_slots_with_other_values_are_other_batches() {
    let mut scene = reading(
        "overlap = \"allow\"\n[message]\nslots.to = \"to\"\nkey = \"id\"\nbatch = { messages = 2, wait = \"1m\" }\n",
    );
    for (seq, to) in [(1, "a"), (2, "b"), (3, "a")] {
        let body = format!("{{\"to\": \"{to}\", \"id\": {seq}}}");
        saying(&mut scene, seq, ("cli.build", seq as u8), seq, &body);
    }
    saying(&mut scene, 4, ("cli.build", 4), 4, "{}");
    scene.log.now = at(5);
    assert_eq!(
        runs(&mut scene).iter().map(Vec::len).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(runs(&mut scene), [[]; 0]);
    assert_eq!((scene.took.len(), scene.refused.len()), (3, 1));
    scene.log.now = at(62);
    assert_eq!(
        runs(&mut scene).iter().map(Vec::len).collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn a_batch_is_bounded_in_bytes_and_waits_in_no_full_memory() {
    let mut scene =
        reading("overlap = \"allow\"\n[message]\nbatch = { messages = 50, wait = \"1h\" }\n");
    let large = "x".repeat(60 << 10);
    for n in 1..=5 {
        saying(&mut scene, n, ("cli.build", n as u8), n, &large);
    }
    assert!(5 * large.len() > BATCH_BYTES_MAX);
    assert_eq!(runs(&mut scene), [keys(&[1, 2, 3, 4])]);
    // Messages that no job has a use for until much later hold up no others: the memory has 64.
    let mut scene =
        reading("overlap = \"allow\"\n[message]\nbatch = { messages = 50, wait = \"1h\" }\n");
    scene.sign_as(
        "k",
        1,
        "overlap = \"allow\"\n[message]\nbatch = { messages = 50, wait = \"1h\" }\n",
        "trigger = \"cli.other\"",
    );
    scene.run();
    for n in 1..=32 {
        message(&mut scene, n, ("cli.build", n as u8), n);
        message(&mut scene, 32 + n, ("cli.other", n as u8), n);
    }
    let sizes: Vec<_> = runs(&mut scene).iter().map(Vec::len).collect();
    assert_eq!(sizes, [32, 32]);
}

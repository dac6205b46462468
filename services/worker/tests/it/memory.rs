//! Tests that fetched contents stay within their bound and that no task starves.

use crate::core::{TWO_STEPS, failure, task};
use crate::stream::{Node, Said, Stream};
use bus_schema::{ActionOutcome, TaskId, TaskOutcome};

const HELD: usize = 10_000;

/// Returns an output of a little more than `bytes` bytes in which the field `n` is 1.
fn output(bytes: usize) -> String {
    format!(r#"{{"n":1,"pad":"{}"}}"#, "x".repeat(bytes))
}

#[test]
fn what_is_dropped_is_fetched_again_and_every_task_ends() {
    let (mut stream, mut node) = (Stream::new(), Node::with(100, HELD));
    for n in 0..10 {
        stream.admit(task(n), TWO_STEPS);
    }
    node.run(&mut stream);
    for n in 0..10 {
        stream.succeed(task(n), &output(4_000));
    }
    node.run(&mut stream);
    assert!(node.core.held_bytes() <= HELD);
    for n in 0..10 {
        assert_eq!(stream.proposed(task(n)).len(), 2, "task {n}");
        stream.succeed(task(n), "");
    }
    node.run(&mut stream);
    for n in 0..10 {
        assert_eq!(stream.ended(task(n)), Some((TaskOutcome::Succeeded, None)));
    }
    assert!(
        node.fetched > 20,
        "{} fetches: nothing was dropped",
        node.fetched
    );
    assert_eq!(node.core.held_bytes(), 0);
}

#[test]
fn outputs_that_cannot_be_held_at_once_end_the_task() {
    for (bytes, ends) in [(4_000, false), (HELD, true)] {
        let (mut stream, mut node) = (Stream::new(), Node::with(100, HELD));
        stream.admit(task(1), TWO_STEPS);
        node.run(&mut stream);
        stream.succeed(task(1), &output(bytes));
        node.run(&mut stream);
        assert_eq!(stream.ended(task(1)).is_some(), ends);
        if ends {
            assert!(failure(&stream).contains("at most 10000 can be held"));
        }
    }
}

#[test]
fn a_fetch_without_an_answer_is_wanted_again() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    stream.admit(task(1), TWO_STEPS);
    node.read(&stream);
    assert_eq!(node.says(&stream), []);
    let wanted = node.core.waits_for();
    assert_eq!(wanted.len(), 1);
    let no_answer = worker::Fetched {
        fetch: wanted[0],
        found: worker::Found::NoAnswer,
    };
    actor::Core::input(&mut node.core, no_answer);
    assert_eq!(node.says(&stream), []);
    assert_eq!(node.core.waits_for(), wanted);
    assert_eq!(node.run(&mut stream).len(), 1);
}

fn tasks_of<'a>(said: impl IntoIterator<Item = &'a Said>) -> Vec<TaskId> {
    said.into_iter().filter_map(|said| said.task).collect()
}

#[test]
fn a_task_without_room_begins_as_soon_as_another_is_done() {
    let (mut stream, mut node) = (Stream::new(), Node::with(100, HELD));
    for n in [1, 2] {
        stream.admit(task(n), TWO_STEPS);
    }
    node.run(&mut stream);
    for n in [1, 2] {
        stream.succeed(task(n), &output(6_000));
    }
    node.read(&stream);
    assert_eq!(node.says(&stream), []);
    let fetching = |node: &Node| {
        node.core
            .waits_for()
            .iter()
            .map(|fetch| fetch.task)
            .collect::<Vec<_>>()
    };
    assert_eq!(fetching(&node), [task(1)]);
    node.deliver(&stream);
    assert_eq!(tasks_of(&node.says(&stream)), [task(1)]);
    assert_eq!(fetching(&node), [task(2)]);
}

#[test]
fn what_a_waiting_task_needs_is_not_dropped_for_another() {
    let (mut stream, mut node) = (Stream::new(), Node::with(100, HELD));
    let three = format!(
        "{TWO_STEPS}[[step]]\nid = \"c\"\ntool = \"t.t\"\nargs = {{ x = \"{{a.n}}\", y = \"{{b.n}}\" }}\n"
    );
    stream.admit(task(1), &three);
    stream.admit(
        task(2),
        &format!("{TWO_STEPS}on_failure = {{ retry = 1 }}\n"),
    );
    node.run(&mut stream);
    stream.succeed(task(1), &output(4_000));
    stream.succeed(task(2), &output(2_000));
    assert_eq!(tasks_of(&node.run(&mut stream)), [task(1), task(2)]);

    stream.succeed(task(1), &output(2_000));
    node.read(&stream);
    assert_eq!(node.says(&stream), []);
    assert_eq!(node.core.waits_for().len(), 1);
    let action = stream.last(task(2));
    stream.grant(task(2), action);
    stream.start(task(2), action);
    stream.end(task(2), action, ActionOutcome::Failed);
    node.read(&stream);
    assert_eq!(tasks_of(&node.says(&stream)), [task(2)]);
    let before = node.core.held_bytes();
    node.deliver(&stream);
    assert!(node.core.held_bytes() < before, "something was dropped");
    assert_eq!(tasks_of(&node.says(&stream)), [task(1)]);
}

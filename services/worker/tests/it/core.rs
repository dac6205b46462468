//! Tests the core, fact by fact.

use crate::stream::{Node, Said, Stream, uuid};
use actor::Core as _;
use bus_schema::{
    ActionDeclined, ActionId, ActionOutcome, ActionRefused, ActionStarted, ApprovalRequested,
    Egress, Owner, Policy, RefusalCode, RunCause, Runner, StopReason, TaskCancelled, TaskFinished,
    TaskId, TaskOutcome, TaskStopped,
};

pub(crate) const TWO_STEPS: &str = "playbook = \"p\"\npurpose = \"t\"\n\
    [[step]]\nid = \"a\"\ntool = \"t.one\"\nargs = { x = 1 }\n\
    [[step]]\nid = \"b\"\ntool = \"t.two\"\nargs = { y = \"{a.n}\" }\n";
const PARALLEL: &str = "playbook = \"p\"\npurpose = \"t\"\n\
    [[step]]\nid = \"a\"\ntool = \"t.one\"\n\
    [[step]]\nid = \"b\"\nfor_each = \"{a}\"\nparallel = true\ntool = \"t.two\"\n\
    args = { y = \"{item}\" }\non_failure = \"continue\"\n";

pub(crate) fn task(n: u64) -> TaskId {
    uuid(0x7a00 + n)
}

fn kinds(said: &[Said]) -> Vec<&'static str> {
    said.iter().map(|said| said.kind).collect()
}

/// Submits a task of one step and proposes it.
pub(crate) fn proposed(step: &str) -> (Stream, Node, ActionId) {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    let text = format!(
        "playbook = \"p\"\npurpose = \"t\"\n[[step]]\nid = \"a\"\ntool = \"t.one\"\n{step}"
    );
    stream.admit(task(1), &text);
    assert_eq!(kinds(&node.run(&mut stream)), ["action.proposed"]);
    let action = stream.last(task(1));
    (stream, node, action)
}

/// Returns the reason that the only task failed.
pub(crate) fn failure(stream: &Stream) -> String {
    match stream.ended(task(1)) {
        Some((TaskOutcome::Failed, Some(detail))) => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn cancelled_task_proposes_nothing_and_ends_once_nothing_runs() {
    let (mut stream, mut node, action) = proposed("");
    stream.grant(task(1), action);
    stream.start(task(1), action);
    stream.say::<Owner, _>(task(1), TaskCancelled {});
    assert_eq!(node.run(&mut stream), []);
    let mut node = node.restarted();
    stream.end(task(1), action, ActionOutcome::Killed);
    assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
    assert_eq!(stream.ended(task(1)), Some((TaskOutcome::Cancelled, None)));
    assert_eq!((node.core.open(), node.core.held_bytes()), (0, 0));
}

#[test]
fn policy_stops_a_run_of_a_job_and_no_task_of_a_person() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    let job = "j".parse().expect("a name");
    let run = TaskId::of_run(uuid(1), &job, 1, RunCause::Retried(task(9)));
    let why = StopReason::Deadline;
    for (id, said) in [(task(1), "action.proposed"), (run, "task.finished")] {
        stream.admit(id, TWO_STEPS);
        stream.say::<Policy, _>(id, TaskStopped { why });
        assert_eq!(kinds(&node.run(&mut stream)), [said]);
    }
    assert_eq!(stream.ended(run), Some((TaskOutcome::Cancelled, None)));
}

#[test]
fn task_that_waits_for_its_turn_is_cancelled_at_once() {
    let (mut stream, mut node) = (Stream::new(), Node::with(1, worker::HELD_BYTES_MAX));
    stream.admit(task(1), TWO_STEPS);
    stream.admit(task(2), TWO_STEPS);
    assert_eq!(kinds(&node.run(&mut stream)), ["action.proposed"]);
    stream.say::<Owner, _>(task(2), TaskCancelled {});
    assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
    assert_eq!(stream.ended(task(2)), Some((TaskOutcome::Cancelled, None)));
    assert_eq!(node.core.open(), 1);
}

#[test]
fn a_playbook_runs_to_its_end() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    assert_eq!(node.run(&mut stream), []);
    stream.admit(task(1), TWO_STEPS);
    assert_eq!(kinds(&node.run(&mut stream)), ["action.proposed"]);
    let first = stream.proposed(task(1)).remove(0);
    assert_eq!((first.step.as_str(), first.tool.as_str()), ("a", "t.one"));
    assert_eq!(
        (first.index, first.item, first.items, first.attempt),
        (0, 0, 1, 1)
    );
    assert_eq!(stream.args(&first), r#"{"x":1}"#);

    stream.grant(task(1), first.action);
    assert_eq!(node.run(&mut stream), []);
    stream.start(task(1), first.action);
    assert_eq!(node.run(&mut stream), []);
    stream.output(
        task(1),
        first.action,
        ActionOutcome::Succeeded,
        br#"{"n":7}"#,
    );
    assert_eq!(kinds(&node.run(&mut stream)), ["action.proposed"]);
    let second = stream.proposed(task(1)).remove(1);
    assert_eq!((second.step.as_str(), second.index), ("b", 1));
    assert_eq!(stream.args(&second), r#"{"y":7}"#);
    assert_ne!(first.action, second.action);

    stream.succeed(task(1), "");
    assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
    assert_eq!(stream.ended(task(1)), Some((TaskOutcome::Succeeded, None)));
    assert_eq!(node.run(&mut stream), []);
    assert_eq!((node.core.open(), node.core.held_bytes()), (0, 0));
}

const FILLED: &str = r#"
playbook = "filled"
purpose = "Uses what the owner filled in."

[[step]]
id = "send"
tool = "t.one"
args = { to = "{slot.recipient}", text = "{slot.count} for {slot.recipient}", count = "{slot.count}" }
"#;

#[test]
fn a_slot_is_the_value_that_the_owner_filled_in() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    let slots = r#"{"count":5,"recipient":"ann@x.example"}"#;
    stream.admit_filled(task(1), FILLED, Some(slots));
    assert_eq!(kinds(&node.run(&mut stream)), ["action.proposed"]);
    let first = stream.proposed(task(1)).remove(0);
    let wanted = r#"{"count":5,"text":"5 for ann@x.example","to":"ann@x.example"}"#;
    assert_eq!(stream.args(&first), wanted);
}

#[test]
fn a_slot_that_is_empty_stops_its_task() {
    for (slots, reason) in [
        (None, "no slot of the task is filled in"),
        (
            Some(r#"{"count":5}"#),
            "`slot` is an object with the fields `count`",
        ),
    ] {
        let (mut stream, mut node) = (Stream::new(), Node::new());
        stream.admit_filled(task(1), FILLED, slots);
        assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
        let failure = failure(&stream);
        assert!(failure.contains(reason), "{failure}");
    }
}

#[test]
fn nothing_is_said_again_while_its_chain_is_busy() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    stream.admit(task(1), TWO_STEPS);
    node.read(&stream);
    node.fetch(&stream);
    let said = node.says(&stream);
    assert_eq!(kinds(&said), ["action.proposed"]);
    assert_eq!(node.says(&stream), said);
    assert_eq!(node.says_while_busy(&stream, task(1)), []);
}

#[test]
fn a_worker_that_is_killed_anywhere_goes_on_the_same() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    let mut compared = 0;
    let mut compare = |stream: &Stream, node: &mut Node| {
        let mut rebuilt = Node::new();
        let mut restarted = node.restarted();
        node.read(stream);
        restarted.read(stream);
        rebuilt.read(stream);
        assert_eq!(rebuilt.core.held_bytes(), 0);
        for one in [&mut *node, &mut restarted, &mut rebuilt] {
            one.fetch(stream);
        }
        let said = node.says(stream);
        assert_eq!(restarted.says(stream), said);
        assert_eq!(rebuilt.says(stream), said);
        compared += said.len();
    };
    stream.admit(task(1), PARALLEL);
    compare(&stream, &mut node);
    node.run(&mut stream);
    let action = stream.last(task(1));
    stream.grant(task(1), action);
    compare(&stream, &mut node);
    stream.start(task(1), action);
    compare(&stream, &mut node);
    stream.output(task(1), action, ActionOutcome::Succeeded, b"[10,20,30]");
    compare(&stream, &mut node);
    while let Some(n) = Some(stream.proposed(task(1)).len()).filter(|n| *n < 4) {
        node = node.restarted();
        node.run_once(&mut stream);
        assert_eq!(stream.proposed(task(1)).len(), n + 1);
        compare(&stream, &mut node);
    }
    let items = stream.proposed(task(1));
    let args: Vec<_> = items.iter().skip(1).map(|p| stream.args(p)).collect();
    assert_eq!(args, [r#"{"y":10}"#, r#"{"y":20}"#, r#"{"y":30}"#]);
    let outcomes = [
        ActionOutcome::Succeeded,
        ActionOutcome::Failed,
        ActionOutcome::Killed,
    ];
    for (item, outcome) in items.iter().skip(1).zip(outcomes) {
        stream.grant(task(1), item.action);
        stream.start(task(1), item.action);
        compare(&stream, &mut node);
        stream.end(task(1), item.action, outcome);
        compare(&stream, &mut node);
    }
    node.restarted().run(&mut stream);
    let detail = r#"{"step":null,"reason":"The playbook ran to its end, with exceptions: step `b`: 2 failed."}"#;
    let wanted = (TaskOutcome::Succeeded, Some(detail.to_owned()));
    assert_eq!(stream.ended(task(1)), Some(wanted));
    compare(&stream, &mut node);
    assert_eq!(compared, 5);
}

#[test]
fn replayed_facts_are_ignored() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    stream.admit(task(1), TWO_STEPS);
    node.run(&mut stream);
    stream.succeed(task(1), r#"{"n":1}"#);
    node.run(&mut stream);
    let before = node.core.state().clone();
    let copies = stream.log.messages.len();
    stream.replay();
    assert_eq!(node.run(&mut stream), []);
    assert_eq!((node.core.state(), node.junk), (&before, copies));
    stream.succeed(task(1), "");
    assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
    stream.replay();
    assert_eq!(node.run(&mut stream), []);
    assert_eq!(node.core.open(), 0);
}

#[test]
fn said_twice_by_its_own_author_changes_nothing() {
    let (mut stream, mut node, action) = proposed("on_failure = { retry = 1 }\n");
    stream.grant(task(1), action);
    stream.start(task(1), action);
    stream.end(task(1), action, ActionOutcome::Failed);
    assert_eq!(kinds(&node.run(&mut stream)), ["action.proposed"]);
    let before = node.core.state().clone();
    stream.grant(task(1), action);
    stream.start(task(1), action);
    stream.end(task(1), action, ActionOutcome::Succeeded);
    let other = uuid(0xdead);
    stream.say::<Runner, _>(task(1), ActionStarted { action: other });
    stream.say::<Runner, _>(task(2), ActionStarted { action });
    assert_eq!(node.run(&mut stream), []);
    assert_eq!(node.core.state(), &before);
}

#[test]
fn only_the_executor_of_a_grant_says_what_became_of_it() {
    let (mut stream, mut node, action) = proposed("");
    stream.grant(task(1), action);
    assert_eq!(node.run(&mut stream), []);
    let before = node.core.state().clone();
    let code = RefusalCode::Tool;
    stream.say::<Egress, _>(task(1), bus_schema::ActionDeclined { action, code });
    stream.say::<Egress, _>(task(1), ActionStarted { action });
    assert_eq!(node.run(&mut stream), []);
    assert_eq!(node.core.state(), &before);
}

#[test]
fn a_grant_of_another_task_grants_nothing() {
    let (mut stream, mut node, action) = proposed("");
    let before = node.core.state().clone();
    let mut draft = stream.draft_grant(task(1), action);
    draft.task = task(2);
    let grant = bus_schema::Grant {
        draft,
        approvals: Vec::new(),
    };
    stream.say::<Policy, _>(task(1), bus_schema::ActionGranted { grant });
    node.run(&mut stream);
    assert_eq!(node.core.state(), &before);
}

#[test]
fn an_outcome_without_a_claim_is_none() {
    let (mut stream, mut node, action) = proposed("");
    stream.end(task(1), action, ActionOutcome::Succeeded);
    stream.grant(task(1), action);
    stream.end(task(1), action, ActionOutcome::Succeeded);
    assert_eq!(node.run(&mut stream), []);
    assert_eq!(node.core.open(), 1);
}

#[test]
fn a_refused_action_stops_its_task_or_not_as_the_playbook_says() {
    for (step, outcome) in [
        ("", TaskOutcome::Failed),
        ("on_refusal = \"continue\"\n", TaskOutcome::Succeeded),
    ] {
        let (mut stream, mut node, action) = proposed(step);
        let draft = stream.draft_grant(task(1), action);
        let asked = ApprovalRequested {
            draft,
            reason: None,
        };
        stream.say::<Policy, _>(task(1), asked);
        assert_eq!(node.run(&mut stream), []);
        refuse(&mut stream, action);
        assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
        let (ended, detail) = stream.ended(task(1)).unwrap();
        assert_eq!(ended, outcome);
        assert!(detail.unwrap().contains("refused"));
    }
}

fn refuse(stream: &mut Stream, action: ActionId) {
    let refused = ActionRefused {
        action,
        rule: "default".parse().unwrap(),
        code: RefusalCode::NotAllowed,
        why: None,
    };
    stream.say::<Policy, _>(task(1), refused);
}

#[test]
fn a_refusal_after_the_grant_changes_nothing() {
    let (mut stream, mut node, action) = proposed("");
    stream.grant(task(1), action);
    refuse(&mut stream, action);
    assert_eq!(node.run(&mut stream), []);
    stream.start(task(1), action);
    stream.end(task(1), action, ActionOutcome::Succeeded);
    node.run(&mut stream);
    assert_eq!(stream.ended(task(1)), Some((TaskOutcome::Succeeded, None)));
}

#[test]
fn a_declined_grant_has_failed() {
    let (mut stream, mut node, action) = proposed("");
    stream.grant(task(1), action);
    let code = RefusalCode::NoCage;
    stream.say::<Runner, _>(task(1), ActionDeclined { action, code });
    assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
    let wanted = r#"{"step":"a","reason":"Step `a` failed at attempt 1."}"#;
    assert_eq!(failure(&stream), wanted);
}

#[test]
fn an_erased_output_ends_the_task_that_needs_it() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    stream.admit(task(1), TWO_STEPS);
    node.run(&mut stream);
    let output = stream.succeed(task(1), r#"{"n":1}"#);
    stream.log.erase(output);
    assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
    let wanted = "Step `b` needs the output of step `a`, which was erased; run the task again.";
    assert_eq!(
        failure(&stream),
        format!(r#"{{"step":"b","reason":"{wanted}"}}"#)
    );
}

#[test]
fn a_task_without_a_usable_playbook_ends_at_once() {
    let wrong = |text: &str| {
        let (mut stream, mut node) = (Stream::new(), Node::new());
        stream.admit(task(1), text);
        assert_eq!(kinds(&node.run(&mut stream)), ["task.finished"]);
        assert_eq!(node.core.open(), 0);
        failure(&stream)
    };
    let reason = wrong("playbook = \"p\"\npurpose = \"t\"\n[[step]]\nid = \"a\"\ntool = 7\n");
    assert!(reason.starts_with(r#"{"step":null,"reason":""#), "{reason}");
    assert!(reason.contains("playbook:5:8"), "{reason}");
    let reason = wrong(&"[[[".repeat(50_000));
    assert!(
        reason.len() < 3 * worker::REASON_BYTES_MAX,
        "{}",
        reason.len()
    );
    let reason = wrong(&"#".repeat(worker::PLAYBOOK_BYTES_MAX + 1));
    assert!(reason.contains("262145 bytes long"), "{reason}");

    let (mut stream, mut node) = (Stream::new(), Node::new());
    stream.admit(task(1), TWO_STEPS);
    stream.log.contents.clear();
    node.run(&mut stream);
    let wanted = r#"{"step":null,"reason":"The playbook was erased; submit the task again."}"#;
    assert_eq!(failure(&stream), wanted);
}

#[test]
fn tasks_do_not_wait_for_one_another() {
    let (mut stream, mut node) = (Stream::new(), Node::new());
    stream.admit(task(1), TWO_STEPS);
    stream.admit(task(2), TWO_STEPS);
    let said = node.run(&mut stream);
    let tasks: Vec<_> = said.iter().map(|said| said.task.unwrap()).collect();
    assert_eq!(tasks, [task(1), task(2)]);
    stream.succeed(task(2), r#"{"n":2}"#);
    assert_eq!(node.run(&mut stream)[0].contents, [r#"{"y":2}"#]);
    stream.succeed(task(2), "");
    node.run(&mut stream);
    assert!(stream.ended(task(2)).is_some() && stream.ended(task(1)).is_none());
    stream.succeed(task(1), r#"{"n":1}"#);
    assert_eq!(node.run(&mut stream)[0].contents, [r#"{"y":1}"#]);
}

#[test]
fn more_tasks_than_it_works_on_wait_in_their_order() {
    let (mut stream, mut node) = (Stream::new(), Node::with(2, worker::HELD_BYTES_MAX));
    for n in [4, 1, 3, 2] {
        stream.admit(task(n), TWO_STEPS);
    }
    let tasks = |said: Vec<Said>| said.iter().map(|s| s.task.unwrap()).collect::<Vec<_>>();
    assert_eq!(tasks(node.run(&mut stream)), [task(4), task(1)]);
    let action = stream.last(task(1));
    let finished = TaskFinished {
        outcome: TaskOutcome::Failed,
        detail: None,
    };
    stream.say::<bus_schema::Worker, _>(task(1), finished.clone());
    stream.grant(task(1), action);
    assert_eq!(tasks(node.run(&mut stream)), [task(3)]);
    assert_eq!(node.core.open(), 3);
    stream.say::<bus_schema::Worker, _>(task(2), finished);
    assert_eq!(node.run(&mut stream), []);
    assert_eq!(node.core.open(), 2);
}

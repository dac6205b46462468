//! Tests conditions, branches, repetitions, waits and summaries.

use crate::run::{End, Run};
use worker::{Outcome, StepRef, Todo};

const HEAD: &str = "playbook = \"p\"\npurpose = \"test\"\n";

fn text(steps: &str) -> String {
    format!("{HEAD}{steps}")
}

/// The steps that were proposed, in order, each by its position, item and attempt.
fn proposed(run: &Run) -> Vec<(u16, u16, u8)> {
    let each = run.proposed.iter();
    each.map(|(at, attempt, ..)| (at.step, at.item, *attempt))
        .collect()
}

/// Runs a step `a` with this output, and a step `b` with this condition; returns true if `b` ran.
fn ran(output: &str, condition: &str) -> bool {
    let steps = format!(
        "[input.kind]\ntype = \"string\"\ndefault = \"full\"\n[input.n]\ntype = \"integer\"\ndefault = 3\n\
         [[step]]\nid = \"a\"\ntool = \"t.t\"\n[[step]]\nid = \"b\"\ntool = \"t.t\"\n{condition}\n"
    );
    let mut run = Run::new(&text(&steps));
    assert_eq!(
        run.sentence(&[output]),
        "Every action succeeded.",
        "{condition}"
    );
    run.proposed.len() == 2
}

#[test]
fn a_step_runs_if_its_condition_holds() {
    let output = r#"{"n":7,"s":"done","b":true,"z":null,"l":[1]}"#;
    for (condition, holds) in [
        ("{ value = \"{input.kind}\", is = \"full\" }", true),
        (
            "{ value = \"{input.kind}\", is = [\"short\", \"no\"] }",
            false,
        ),
        ("{ value = \"{input.n}\", min = 3 }", true),
        ("{ value = \"{input.n}\", min = 1, max = 2 }", false),
        ("{ value = \"{a.n}\", is = 7 }", true),
        ("{ value = \"{a.n}\", max = 6.5 }", false),
        ("{ value = \"{a.s}\", prefix = \"do\" }", true),
        ("{ value = \"{a.s}\", suffix = \"do\" }", false),
        ("{ value = \"{a.b}\", is = true }", true),
        ("{ value = \"{a.text}\", prefix = \"{\" }", true),
        ("{ value = \"{a}\", present = true }", true),
        ("{ value = \"{a.none}\", present = true }", false),
        ("{ value = \"{a.none.at.all}\", present = false }", true),
        ("{ value = \"{a.z}\", present = true }", false),
        ("{ value = \"{a.l[1]}\", present = true }", false),
    ] {
        assert_eq!(
            ran(output, &format!("if = {condition}")),
            holds,
            "{condition}"
        );
        assert_eq!(
            ran(output, &format!("unless = {condition}")),
            !holds,
            "{condition}"
        );
    }
    assert!(ran("not json", "if = { value = \"{a}\", present = true }"));
}

#[test]
fn a_comparison_of_another_type_is_an_error_and_neither_true_nor_false() {
    for (condition, found) in [
        (
            "{ value = \"{a.s}\", min = 1 }",
            "`a.s` is a string, and the condition compares a number",
        ),
        (
            "{ value = \"{a.n}\", prefix = \"7\" }",
            "`a.n` is a number, and the condition compares a string",
        ),
        (
            "{ value = \"{a.n}\", is = \"7\" }",
            "`a.n` is a number, and the condition compares a string",
        ),
        (
            "{ value = \"{a.x}\", is = 7 }",
            "`a` is an object with the fields `n`, `s`",
        ),
    ] {
        for key in ["if", "unless"] {
            let steps = format!(
                "[[step]]\nid = \"a\"\ntool = \"t.t\"\n[[step]]\nid = \"b\"\ntool = \"t.t\"\n{key} = {condition}\n"
            );
            let sentence = Run::new(&text(&steps)).sentence(&[r#"{"n":7,"s":"x"}"#]);
            assert!(
                sentence.starts_with("Step `b` failed: ") && sentence.contains(found),
                "{sentence}"
            );
        }
    }
}

const BRANCH: &str = r#"
summary = "Read {local.text}{fetch.text} in {each}."
[[step]]
id = "fetch"
tool = "t.t"
otherwise = ["local", "each"]
[[step]]
id = "local"
tool = "t.t"
[[step]]
id = "each"
tool = "t.t"
for_each = "{local}"
args.x = "{item}"
[[step]]
id = "last"
tool = "t.t"
if = { value = "{fetch}", present = true }
args.x = "{fetch.text}"
"#;

#[test]
fn a_refused_or_failed_step_goes_to_its_branch() {
    for (end, what) in [(End::Refused, "refused"), (End::Failed, "failed")] {
        let mut run = Run::new(&text(BRANCH));
        let outcome = run.finish(|at, _| match at.step {
            0 => (end, Vec::new()),
            1 => (End::Succeeded, b"[1,2]".into()),
            _ => (End::Succeeded, b"{}".into()),
        });
        assert_eq!(proposed(&run), [(0, 0, 1), (1, 0, 1), (2, 0, 1), (2, 1, 1)]);
        assert_eq!(
            outcome.sentence(&run.playbook),
            format!(
                "The playbook ran to its end, with exceptions: step `fetch`: 1 {what}, so `local` and `each` came instead."
            )
        );
        assert_eq!(run.summary.as_deref(), Some("Read [1,2]– in {}\n{}."));
    }
    let mut run = Run::new(&text(BRANCH));
    let outcome = run.finish(|_, _| (End::Succeeded, b"{}".into()));
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(proposed(&run), [(0, 0, 1), (3, 0, 1)]);
    assert_eq!(run.summary.as_deref(), Some("Read –{} in –."));
}

#[test]
fn an_unknown_outcome_takes_no_branch() {
    let mut run = Run::new(&text(BRANCH));
    let outcome = run.finish(|_, _| (End::Unknown, Vec::new()));
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Step `fetch` may or may not have happened at attempt 1."
    );
    assert_eq!(run.summary, None);
}

#[test]
fn a_value_that_is_missing_takes_the_branch_and_a_restart_takes_the_same() {
    for step in [
        "for_each = \"{a.x}\"",
        "args.x = \"{a.x}\"",
        "if = { value = \"{a.x}\", is = 1 }",
        "repeat = { times = \"{a.n}\", at_most = 2 }",
        "for_each = \"{a.l}\"\nat_most = 1",
    ] {
        let steps = format!(
            "[[step]]\nid = \"a\"\ntool = \"t.t\"\n[[step]]\nid = \"b\"\ntool = \"t.t\"\notherwise = \"c\"\n{step}\n\
             [[step]]\nid = \"c\"\ntool = \"t.t\"\n[[step]]\nid = \"d\"\ntool = \"t.t\"\n"
        );
        let mut run = Run::new(&text(&steps));
        let outcome = run.finish(|_, _| (End::Succeeded, br#"{"n":3,"l":[1,2]}"#.into()));
        assert_eq!(proposed(&run), [(0, 0, 1), (2, 0, 1), (3, 0, 1)], "{step}");
        assert_eq!(
            outcome.sentence(&run.playbook),
            "The playbook ran to its end, with exceptions: step `b`: 1 not proposed, so `c` came instead."
        );
    }
}

#[test]
fn retries_come_before_the_branch_and_a_branch_may_have_one_too() {
    let steps = "[[step]]\nid = \"a\"\ntool = \"t.t\"\notherwise = \"b\"\non_failure = { retry = 1 }\n\
         [[step]]\nid = \"b\"\ntool = \"t.t\"\notherwise = \"c\"\n[[step]]\nid = \"c\"\ntool = \"t.t\"\n";
    let mut run = Run::new(&text(steps));
    let outcome = run.finish(|at, _| match at.step {
        2 => (End::Succeeded, Vec::new()),
        _ => (End::Failed, Vec::new()),
    });
    assert!(matches!(outcome, Outcome::SucceededWithExceptions { .. }));
    assert_eq!(proposed(&run), [(0, 0, 1), (0, 0, 2), (1, 0, 1), (2, 0, 1)]);
}

#[test]
fn a_repetition_counts_from_one() {
    for repeat in ["3", "{ times = \"{input.n}\", at_most = 5 }"] {
        let steps = format!(
            "[input.n]\ntype = \"integer\"\ndefault = 3\n[[step]]\nid = \"a\"\ntool = \"t.t\"\nrepeat = {repeat}\nargs.x = \"{{item}}\"\n\
             [[step]]\nid = \"b\"\ntool = \"t.t\"\nargs.x = \"{{a.*.text}}\"\n"
        );
        let mut run = Run::new(&text(&steps));
        assert_eq!(run.sentence(&["o"]), "Every action succeeded.");
        assert_eq!(proposed(&run), [(0, 0, 1), (0, 1, 1), (0, 2, 1), (1, 0, 1)]);
        assert_eq!(run.args_of(0, 2), r#"{"x":3}"#);
        assert_eq!(run.args_of(1, 0), r#"{"x":["o","o","o"]}"#);
    }
}

const POLL: &str = r#"
[[step]]
id = "poll"
tool = "t.t"
repeat = { at_most = 4, until = { value = "{poll.state}", is = "done" }, pause = "30s" }
[[step]]
id = "after"
tool = "t.t"
args.x = "{poll.state}"
"#;

#[test]
fn a_repetition_ends_when_its_condition_is_met() {
    let mut run = Run::new(&text(POLL));
    let outcome = run.finish(|at, _| {
        let state = if at.item == 2 { "done" } else { "running" };
        (
            End::Succeeded,
            format!("{{\"state\":\"{state}\"}}").into_bytes(),
        )
    });
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(proposed(&run), [(0, 0, 1), (0, 1, 1), (0, 2, 1), (1, 0, 1)]);
    assert_eq!(run.args_of(1, 0), r#"{"x":"done"}"#);
    assert_eq!(run.waits, [30_000, 30_000]);
}

#[test]
fn a_repetition_whose_condition_is_never_met_fails() {
    let mut run = Run::new(&text(POLL));
    let outcome = run.finish(|_, _| (End::Succeeded, br#"{"state":"running"}"#.into()));
    assert_eq!(run.proposed.len(), 4);
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Item 3 of step `poll` failed: its `until` was not met after 4 times."
    );
}

#[test]
fn waits_follow_the_record_and_not_the_clock_of_a_restart() {
    let steps = "[[step]]\nid = \"a\"\ntool = \"t.t\"\n[[step]]\nid = \"w\"\nwait = \"10m\"\n[[step]]\nid = \"x\"\nwait = \"{a.more}\"\n\
         [[step]]\nid = \"b\"\ntool = \"t.t\"\n[[step]]\nid = \"y\"\nwait = \"1970-01-01T01:00:00Z\"\n[[step]]\nid = \"c\"\ntool = \"t.t\"\n";
    let mut run = Run::new(&text(steps));
    let first = run.advance().unwrap();
    run.settle(first[0], End::Succeeded, br#"{"more":"5s"}"#);
    let Todo::Wait { until } = run.todos()[0] else {
        panic!("{:?}", run.todos());
    };
    assert_eq!(until, run.since.plus_ms(600_000));
    // A reader that starts in the middle waits for the rest alone.
    run.now = run.since.plus_ms(599_999);
    assert_eq!(run.todos(), [Todo::Wait { until }]);
    let second = run.advance().unwrap();
    assert_eq!(run.waits, [1, 5_000]);
    assert_eq!(
        run.progress.place(second[0]),
        Some(StepRef { step: 3, item: 0 })
    );
    run.settle(second[0], End::Succeeded, b"{}");
    let third = run.advance().unwrap();
    assert_eq!(run.waits[2], 3_600_000 - 605_000);
    run.settle(third[0], End::Succeeded, b"{}");
    assert_eq!(run.advance(), Err(Outcome::Succeeded));
}

#[test]
fn a_wait_out_of_reach_fails() {
    for (value, ends) in [
        ("32d", false),
        ("soon", false),
        ("1970-03-01T00:00:00Z", false),
        ("31d", true),
    ] {
        let steps = format!(
            "[input.w]\ntype = \"string\"\ndefault = \"{value}\"\n[[step]]\nid = \"w\"\nwait = \"{{input.w}}\"\n"
        );
        let outcome = Run::new(&text(&steps)).advance().unwrap_err();
        assert_eq!(outcome == Outcome::Succeeded, ends, "{value}");
    }
    let steps = "[input.w]\ntype = \"string\"\ndefault = \"32d\"\n[[step]]\nid = \"w\"\nwait = \"{input.w}\"\n";
    let mut run = Run::new(&text(steps));
    assert_eq!(
        run.advance().unwrap_err().sentence(&run.playbook),
        "Step `w` failed: \"32d\" is no duration from 1s to 31d and no moment within 31 days."
    );
}

//! Tests steps that run beside one another, and steps that are repeated together.

use crate::run::{End, Run};
use worker::{Outcome, Playbook, StepRef};

fn run(steps: &str) -> Run {
    Run::new(&format!("playbook = \"p\"\npurpose = \"test\"\n{steps}"))
}

fn step(id: &str, lines: &str) -> String {
    format!("[[step]]\nid = \"{id}\"\ntool = \"t.{id}\"\n{lines}\n")
}

/// The places that were proposed, in order.
fn places(run: &Run) -> Vec<(u16, u16)> {
    let each = run.proposed.iter();
    each.map(|(at, ..)| (at.step, at.item)).collect()
}

fn beside() -> String {
    step("a", "")
        + &step("b", "beside = \"a\"")
        + &step(
            "c",
            "beside = \"a\"\nfor_each = \"{input.l}\"\nparallel = true",
        )
        + &step(
            "d",
            "args = { a = \"{a.text}\", b = \"{b.text}\", c = \"{c.*.text}\" }",
        )
}

const LIST: &str = "[input.l]\ntype = \"list\"\ndefault = [1, 2]\n";

#[test]
fn steps_beside_one_another_are_open_at_once_and_the_next_waits_for_all() {
    let mut run = run(&format!("{LIST}{}", beside()));
    let open = run.advance().unwrap();
    assert_eq!(places(&run), [(0, 0), (1, 0), (2, 0), (2, 1)]);
    // In any order, and the next step only after the last of them.
    for (n, action) in open.into_iter().rev().enumerate() {
        assert_eq!(run.proposed.len(), 4);
        assert_eq!(run.advance(), Ok(Vec::new()));
        run.settle(action, End::Succeeded, format!("o{n}").as_bytes());
    }
    let last = run.advance().unwrap();
    assert_eq!(run.args_of(3, 0), r#"{"a":"o3","b":"o2","c":["o1","o0"]}"#);
    run.settle(last[0], End::Succeeded, b"");
    assert_eq!(run.advance(), Err(Outcome::Succeeded));
}

#[test]
fn a_step_that_stops_begins_nothing_and_waits_for_the_steps_beside_it() {
    let mut run = run(&format!("{LIST}{}", beside()));
    let open = run.advance().unwrap();
    run.settle(open[1], End::Failed, b"");
    for action in [open[0], open[2], open[3]] {
        assert_eq!(run.advance(), Ok(Vec::new()), "others are open");
        run.settle(action, End::Succeeded, b"o");
    }
    let outcome = run.advance().unwrap_err();
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Step `b` failed at attempt 1."
    );
    assert_eq!(run.proposed.len(), 4);
}

#[test]
fn of_two_that_stop_the_first_in_the_playbook_is_named_in_every_order() {
    for order in [[0, 1], [1, 0]] {
        let mut run = run(&(step("a", "") + &step("b", "beside = \"a\"")));
        let open = run.advance().unwrap();
        for at in order {
            run.settle(open[at], End::Refused, b"");
        }
        let outcome = run.advance().unwrap_err();
        assert_eq!(outcome.sentence(&run.playbook), "Step `a` was refused.");
    }
}

#[test]
fn no_more_than_sixteen_actions_are_open() {
    let list = "[input.l]\ntype = \"list\"\ndefault = [1,2,3,4,5,6,7,8,9,10,11,12]\n";
    let each = "for_each = \"{input.l}\"\nparallel = true";
    let steps = step("a", each) + &step("b", &format!("beside = \"a\"\n{each}"));
    let mut run = run(&format!("{list}{steps}"));
    let open = run.advance().unwrap();
    assert_eq!(open.len(), 16);
    run.settle(open[15], End::Succeeded, b"");
    assert_eq!(run.advance().unwrap().len(), 1);
    assert_eq!(places(&run)[16], (1, 4));
}

#[test]
fn a_branch_of_a_step_beside_others_comes_after_them() {
    let steps = step("a", "otherwise = \"z\"") + &step("b", "beside = \"a\"") + &step("z", "");
    let mut run = run(&steps);
    let open = run.advance().unwrap();
    run.settle(open[0], End::Failed, b"");
    assert_eq!(run.advance(), Ok(Vec::new()));
    run.settle(open[1], End::Succeeded, b"");
    let open = run.advance().unwrap();
    assert_eq!(places(&run), [(0, 0), (1, 0), (2, 0)]);
    run.settle(open[0], End::Succeeded, b"");
    let outcome = run.advance().unwrap_err();
    assert_eq!(
        outcome.sentence(&run.playbook),
        "The playbook ran to its end, with exceptions: step `a`: 1 failed, so `z` came instead."
    );
}

fn block(repeat: &str) -> String {
    step("before", "")
        + &step("fetch", "args = { n = \"{item}\", b = \"{before.text}\" }")
        + &step(
            "check",
            &format!(
                "args = {{ of = \"{{fetch.text}}\" }}\nrepeat = {{ from = \"fetch\", {repeat} }}"
            ),
        )
}

#[test]
fn steps_of_a_block_are_repeated_together_and_see_their_own_time() {
    let after = step(
        "after",
        "args = { f = \"{fetch.*.text}\", c = \"{check[1].text}\" }",
    );
    let mut run = run(&(block("at_most = 3, pause = \"30s\"") + &after));
    let outcome = run.finish(|at, _| (End::Succeeded, format!("o{}-{}", at.step, at.item).into()));
    assert_eq!(outcome, Outcome::Succeeded);
    let wanted = [
        (0, 0),
        (1, 0),
        (2, 0),
        (1, 1),
        (2, 1),
        (1, 2),
        (2, 2),
        (3, 0),
    ];
    assert_eq!(places(&run), wanted);
    assert_eq!(run.args_of(1, 1), r#"{"b":"o0-0","n":2}"#);
    assert_eq!(run.args_of(2, 1), r#"{"of":"o1-1"}"#);
    assert_eq!(
        run.args_of(3, 0),
        r#"{"c":"o2-1","f":["o1-0","o1-1","o1-2"]}"#
    );
    assert_eq!(run.waits, [30_000, 30_000]);
}

#[test]
fn a_block_ends_when_its_condition_is_met_and_its_outputs_are_those_of_that_time() {
    let until = "until = { value = \"{check.state}\", is = \"done\" }";
    let after = step(
        "after",
        "args = { f = \"{fetch.state}\", c = \"{check.state}\" }",
    );
    let mut run = run(&(block(&format!("at_most = 5, {until}")) + &after));
    let outcome = run.finish(|at, _| {
        let state = if (at.step, at.item) == (2, 1) {
            "done"
        } else {
            "running"
        };
        (End::Succeeded, format!("{{\"state\":\"{state}\"}}").into())
    });
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(
        places(&run),
        [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (3, 0)]
    );
    assert_eq!(run.args_of(3, 0), r#"{"c":"done","f":"running"}"#);
}

#[test]
fn a_block_whose_condition_is_never_met_fails() {
    let until = "until = { value = \"{check.state}\", is = \"done\" }";
    let mut run = run(&block(&format!("at_most = 2, {until}")));
    let outcome = run.finish(|_, _| (End::Succeeded, br#"{"state":"running"}"#.into()));
    assert_eq!(run.proposed.len(), 5);
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Item 1 of step `check` failed: its `until` was not met after 2 times."
    );
}

#[test]
fn what_fails_in_a_block_stops_it_or_is_passed_over_or_tried_again() {
    let fails = |at: StepRef, attempt: u8| match (at.step, at.item, attempt) {
        (1, 1, 1) => (End::Failed, Vec::new()),
        _ => (End::Succeeded, b"o".to_vec()),
    };
    let mut stopped = run(&block("at_most = 3"));
    let outcome = stopped.finish(fails);
    assert_eq!(
        outcome.sentence(&stopped.playbook),
        "Item 1 of step `fetch` failed at attempt 1."
    );
    let goes_on = |how: &str| {
        let fetch = step("fetch", how);
        let check = "on_failure = \"continue\"\nargs = { of = \"{fetch.text}\" }\nrepeat = { from = \"fetch\", at_most = 3 }";
        run(&(step("before", "") + &fetch + &step("check", check)))
    };
    let mut tried = goes_on("on_failure = { retry = 1 }");
    assert_eq!(tried.finish(fails), Outcome::Succeeded);
    assert_eq!(places(&tried)[3..6], [(1, 1), (1, 1), (2, 1)]);
    let mut passed = goes_on("on_failure = \"continue\"");
    let outcome = passed.finish(fails);
    assert_eq!(
        outcome.sentence(&passed.playbook),
        "The playbook ran to its end, with exceptions: step `fetch`: 1 failed; step `check`: 1 not proposed."
    );
    assert_eq!(
        places(&passed),
        [(0, 0), (1, 0), (2, 0), (1, 1), (1, 2), (2, 2)]
    );
}

#[test]
fn the_times_of_a_block_may_come_from_a_step_before_it() {
    let mut run = run(&block("times = \"{before.n}\", at_most = 5"));
    let outcome = run.finish(|_, _| (End::Succeeded, br#"{"n":2}"#.into()));
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(run.proposed.len(), 5);
}

#[test]
fn steps_that_cannot_run_together_are_refused() {
    for (steps, problem) in [
        (
            block("at_most = 2, times = \"{fetch.n}\""),
            "`times` is read before the block begins",
        ),
        (
            block("at_most = 2").replace("from = \"fetch\"", "from = \"fetsh\""),
            "no earlier step has the id `fetsh`",
        ),
        (
            block("at_most = 2").replace("from = \"fetch\"", "from = \"check\""),
            "no earlier step has the id `check`",
        ),
        (
            block("at_most = 2") + &step("c", "repeat = { from = \"fetch\", at_most = 2 }"),
            "is in another block already",
        ),
        (
            step("a", "if = { value = \"{input.l}\", present = true }")
                + &step("b", "repeat = { from = \"a\", at_most = 2 }"),
            "a step of a block has no `if`",
        ),
        (
            step("a", "repeat = 2") + &step("b", "repeat = { from = \"a\", at_most = 2 }"),
            "a step of a block has no `repeat`",
        ),
        (
            "[[step]]\nid = \"w\"\nwait = \"1m\"\n".to_owned()
                + &step("b", "repeat = { from = \"w\", at_most = 2 }"),
            "a step of a block has no `wait`",
        ),
        (step("a", "beside = \"a\""), "no step comes before this one"),
        (
            step("a", "") + &step("b", "") + &step("c", "beside = \"a\""),
            "this step does not follow the steps beside `a`",
        ),
        (
            step("a", "") + &step("b", "beside = \"a\"\nargs = { x = \"{a.text}\" }"),
            "`a` runs beside this step, so it has no output yet",
        ),
        (
            step("a", "")
                + &step(
                    "b",
                    "beside = \"a\"\nrepeat = { at_most = 2, pause = \"1s\" }",
                ),
            "a repetition with a pause runs beside no other step",
        ),
        (
            "[[step]]\nid = \"w\"\nwait = \"1m\"\n".to_owned() + &step("b", "beside = \"w\""),
            "nothing runs beside a wait",
        ),
        (
            step("a", "otherwise = \"b\"") + &step("b", "beside = \"a\""),
            "a step under `otherwise` runs beside this one",
        ),
        (
            step("a", "")
                + &(0..16)
                    .map(|n| step(&format!("b{n}"), "beside = \"a\""))
                    .collect::<String>(),
            "more than 16 steps run beside one another",
        ),
    ] {
        let text = format!("playbook = \"p\"\npurpose = \"test\"\n{LIST}{steps}");
        let refused = Playbook::parse("p", &text).unwrap_err().to_string();
        assert!(refused.contains(problem), "{problem}:\n{refused}");
    }
}

//! Tests random playbooks with random outcomes: every task ends, nothing is proposed twice, and the
//! same history gives the same todos.

use crate::run::{End, Run};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::Value;
use std::collections::BTreeSet;
use worker::{Around, Fact, Playbook, Progress, StepRef, Todo, ready};

const ENDS: [End; 5] = [
    End::Refused,
    End::Succeeded,
    End::Failed,
    End::Lapsed,
    End::Unknown,
];
const OUTPUTS: [&str; 6] = ["[1,2,3]", "[]", "{\"x\":[1]}", "not json", "7", "[[1],[2]]"];
const ARGS: [&str; 6] = [
    "1",
    "'{R}'",
    "'{R.text}'",
    "'n: {R}'",
    "'{R.*.text}'",
    "'{R[0]}'",
];

/// A random step: parallel, three behaviours, argument, earlier step, form, condition.
type Shape = (bool, bool, u8, u8, usize, usize, usize, usize);

/// The forms of a step: for each item, repeated, repeated until, repeated with the steps before it, beside others, a wait.
const FORMS: usize = 9;
/// The conditions of a step, and the branch that it takes.
const CONDITIONS: [&str; 5] = [
    "",
    "if = { value = \"{R}\", present = true }\n",
    "unless = { value = \"{R}\", present = true }\n",
    "otherwise = \"z\"\n",
    "",
];

fn shape() -> impl Strategy<Value = Shape> {
    (
        any::<bool>(),
        any::<bool>(),
        0..5_u8,
        0..5_u8,
        0..ARGS.len(),
        0..8_usize,
        0..FORMS,
        0..CONDITIONS.len(),
    )
}

/// The lines of a form; the earlier step is `R`.
fn form(form: usize, n: usize, parallel: bool) -> String {
    match form {
        1 | 2 => format!("for_each = \"{{R}}\"\nparallel = {parallel}\n"),
        3 => "repeat = 2\n".to_owned(),
        4 => format!(
            "repeat = {{ at_most = 3, pause = \"1s\", until = {{ value = \"{{s{n}[0]}}\", is = 1 }} }}\n"
        ),
        5 => "repeat = { from = \"R\", at_most = 2, pause = \"1s\" }\n".to_owned(),
        6 => "repeat = { from = \"R\", at_most = 3, until = { value = \"{R[0]}\", is = 1 } }\n"
            .to_owned(),
        7 => "beside = \"R\"\n".to_owned(),
        _ => String::new(),
    }
}

fn behaviour(key: &str, n: u8) -> String {
    match n {
        0 => format!("{key} = \"stop\"\n"),
        1 | 2 => format!("{key} = \"continue\"\n"),
        retry => format!("{key} = {{ retry = {} }}\n", retry - 2),
    }
}

/// Makes a playbook. A step loses its condition, its argument and its form, in this order, until the playbook is valid.
fn playbook(shapes: &[Shape]) -> String {
    const LAST: &str = "[[step]]\nid = \"z\"\ntool = \"t.t\"\n";
    let mut text = "playbook = \"p\"\npurpose = \"random\"\n".to_string();
    for (n, shape) in shapes.iter().enumerate() {
        let (parallel, go_on, failure, unknown, arg, earlier, of, condition) = *shape;
        let mut step = format!("[[step]]\nid = \"s{n}\"\n");
        if of == 8 {
            text += &format!("{step}wait = \"1s\"\n");
            continue;
        }
        step += "tool = \"t.t\"\n";
        let mut behaviours = behaviour("on_failure", failure) + &behaviour("on_unknown", unknown);
        if go_on {
            behaviours += "on_refusal = \"continue\"\n";
        }
        let (form, condition) = (form(of, n, parallel), CONDITIONS[condition]);
        let arg = format!("args.x = {}\n", ARGS[arg]);
        let tries = [
            [&form, &arg, condition],
            [&form, &arg, ""],
            [&form, "", ""],
            ["", &arg, ""],
            ["", "", ""],
        ];
        let valid = tries.iter().find_map(|lines| {
            let lines = lines
                .concat()
                .replace('R', &format!("s{}", earlier % n.max(1)));
            let tried = format!("{text}{step}{behaviours}{lines}");
            let is_valid = Playbook::parse("p", &format!("{tried}{LAST}")).is_ok();
            is_valid.then_some(tried)
        });
        text = valid.unwrap();
    }
    text + LAST
}

#[test]
fn random_playbooks_have_every_form() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let shapes = prop::collection::vec(shape(), 1..7);
    let mut all = String::new();
    for _ in 0..400 {
        all += &playbook(&shapes.new_tree(&mut runner).unwrap().current());
    }
    for part in [
        "for_each",
        "repeat = 2",
        "pause = \"1s\", until",
        "at_most = 2, pause",
        "at_most = 3, until",
        "beside",
        "wait",
        "if =",
        "unless =",
        "otherwise",
    ] {
        assert!(all.matches(part).count() > 10, "{part}");
    }
}

/// Returns all todos of a reader with all outputs after `history`.
fn replay(run: &Run) -> Vec<Todo> {
    let mut progress = Progress::default();
    for fact in &run.history {
        progress.fold(*fact).unwrap();
    }
    assert_eq!(progress, run.progress);
    let text = run.playbook.source().to_string();
    let playbook = Playbook::try_from(text).unwrap();
    let known = |at: StepRef| {
        run.fetched
            .contains(&at)
            .then(|| run.outputs[&at].as_slice())
    };
    let around = Around {
        slots: &Value::Null,
        now: run.now,
        since: run.since,
    };
    ready(&playbook, &progress, around, &known)
}

fn is_open(run: &Run, action: bus_schema::ActionId) -> bool {
    let latest = run
        .progress
        .place(action)
        .and_then(|at| run.progress.latest(at));
    latest.is_some_and(|(id, _, state)| id == action && !state.is_settled())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_task_ends_and_nothing_is_proposed_twice(
        shapes in prop::collection::vec(shape(), 1..7),
        choices in prop::collection::vec((0..100_usize, 0..100_usize, 0..40_u8), 64),
    ) {
        let mut run = Run::new(&playbook(&shapes));
        let mut open = Vec::new();
        let mut seen = BTreeSet::new();
        for round in 0..5_000 {
            prop_assert!(round < 4_999, "the task does not end");
            let result = run.advance();
            prop_assert_eq!(replay(&run), run.todos());
            let Ok(new) = result else {
                prop_assert!(open.is_empty(), "finished with {} open", open.len());
                break;
            };
            for (at, attempt, _, _) in run.proposed.iter().rev().take(new.len()) {
                prop_assert!(seen.insert((*at, *attempt)), "{:?} {} again", at, attempt);
            }
            open.extend(new);
            prop_assert!(!open.is_empty(), "the task waits for nothing");
            let (which, end, erase) = choices[round % choices.len()];
            let action = open.remove((which + round) % open.len());
            prop_assert!(is_open(&run, action));
            let end = if end < 70 { End::Succeeded } else { ENDS[end % ENDS.len()] };
            let output = OUTPUTS[(which + erase as usize) % OUTPUTS.len()];
            run.settle(action, end, output.as_bytes());
            if erase == 0 && end == End::Succeeded {
                let at = run.progress.place(action).unwrap();
                run.fold(Fact::Erased { at });
            }
        }
    }

    #[test]
    fn what_was_fetched_early_changes_no_decision(
        shapes in prop::collection::vec(shape(), 1..7),
        ends in prop::collection::vec((0..100_usize, 0..100_usize), 32),
    ) {
        let text = playbook(&shapes);
        let decide = |eager: bool| {
            let mut run = Run::new(&text);
            let mut settled = 0;
            let outcome = loop {
                if eager {
                    run.fetched = run.outputs.keys().copied().collect();
                }
                match run.advance() {
                    Err(outcome) => break outcome,
                    Ok(actions) => for action in actions {
                        let (end, output) = ends[settled % ends.len()];
                        settled += 1;
                        let end = if end < 70 { End::Succeeded } else { ENDS[end % ENDS.len()] };
                        run.settle(action, end, OUTPUTS[output % OUTPUTS.len()].as_bytes());
                    },
                }
            };
            (outcome, run.history)
        };
        prop_assert_eq!(decide(false), decide(true));
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}") {
        let _read = Playbook::parse("p", &text);
        let wrapped = format!(
            "playbook = \"p\"\npurpose = \"t\"\n[[step]]\nid = \"a\"\ntool = \"t.t\"\n\
             [[step]]\nid = \"b\"\ntool = \"t.t\"\nargs.x = '''{text}'''\n"
        );
        let _read = Playbook::parse("p", &wrapped);
    }

    #[test]
    fn any_output_is_used_or_refused_without_a_panic(
        output in prop_oneof![prop::collection::vec(any::<u8>(), 0..80), "[\\[\\]{}\",:0-9ex.-]{0,60}".prop_map(String::into_bytes)],
    ) {
        for arg in ARGS {
            let text = format!(
                "playbook = \"p\"\npurpose = \"t\"\n[[step]]\nid = \"a\"\ntool = \"t.t\"\n\
                 [[step]]\nid = \"b\"\ntool = \"t.t\"\nargs.x = {}\n", arg.replace('R', "a")
            );
            let mut run = Run::new(&text);
            let outcome = run.finish(|_, _| (End::Succeeded, output.clone()));
            prop_assert!(!outcome.sentence(&run.playbook).is_empty());
        }
    }
}

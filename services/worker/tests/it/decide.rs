//! Tests the next todos after successes, refusals, failures, unknown outcomes and erased outputs.

use crate::run::{End, Run};
use worker::{Exceptions, Fact, IN_FLIGHT_MAX, ITEMS_MAX, Outcome, Reason, StepRef, Todo};

const HEAD: &str = "playbook = \"p\"\npurpose = \"test\"\n";

fn at(step: u16, item: u16) -> StepRef {
    StepRef { step, item }
}

/// Creates a run of one step with these lines, and a step after it.
fn single(lines: &str) -> Run {
    Run::new(&format!(
        "{HEAD}[[step]]\nid = \"a\"\ntool = \"t.t\"\n{lines}\n\
         [[step]]\nid = \"after\"\ntool = \"t.t\"\n"
    ))
}

/// Creates a run of a list, a step for each of its items with these lines, and a step that takes all outputs.
fn each(lines: &str) -> Run {
    Run::new(&format!(
        "{HEAD}[[step]]\nid = \"list\"\ntool = \"t.t\"\n\
         [[step]]\nid = \"each\"\ntool = \"t.t\"\nfor_each = \"{{list}}\"\n\
         args = {{ x = \"{{item}}\" }}\n{lines}\n\
         [[step]]\nid = \"all\"\ntool = \"t.t\"\nargs = {{ x = \"{{each.*.text}}\" }}\n"
    ))
}

fn list(items: usize) -> Vec<u8> {
    serde_json::to_vec(&(0..items).collect::<Vec<_>>()).unwrap()
}

/// Runs `each` over `items` items; item 1 ends as in `ends`, one per attempt.
fn run_each(run: &mut Run, items: usize, ends: &[End]) -> Outcome {
    run.finish(|place, attempt| match (place.step, place.item) {
        (0, _) => (End::Succeeded, list(items)),
        (1, 1) => (ends[usize::from(attempt) - 1], b"one".into()),
        (_, item) => (End::Succeeded, format!("out {item}").into_bytes()),
    })
}

fn attempts(run: &Run, place: StepRef) -> usize {
    run.proposed.iter().filter(|p| p.0 == place).count()
}

#[test]
fn by_default_everything_but_success_stops() {
    for (end, reason) in [
        (End::Refused, Reason::Refused),
        (End::Failed, Reason::Failed { attempts: 1 }),
        (End::Unknown, Reason::Unknown { attempts: 1 }),
    ] {
        let mut run = single("");
        let outcome = run.finish(|_, _| (end, Vec::new()));
        assert_eq!(
            outcome,
            Outcome::Failed {
                at: at(0, 0),
                reason
            }
        );
        assert_eq!(run.proposed.len(), 1);
    }
}

#[test]
fn continue_goes_on_and_is_told_at_the_end() {
    let none = Exceptions::default();
    for (key, end, exceptions) in [
        (
            "on_refusal",
            End::Refused,
            Exceptions { refused: 1, ..none },
        ),
        ("on_failure", End::Failed, Exceptions { failed: 1, ..none }),
        (
            "on_unknown",
            End::Unknown,
            Exceptions { unknown: 1, ..none },
        ),
    ] {
        let mut run = single(&format!("{key} = \"continue\""));
        let ends = |place: StepRef| if place.step == 0 { end } else { End::Succeeded };
        let outcome = run.finish(|place, _| (ends(place), Vec::new()));
        let exceptions = vec![exceptions];
        assert_eq!(outcome, Outcome::SucceededWithExceptions { exceptions });
        assert_eq!(run.proposed.len(), 2);
    }
}

#[test]
fn a_retry_is_a_new_action_until_the_attempts_are_used_up() {
    let mut run = single("on_failure = { retry = 2 }");
    let outcome = run.finish(|_, _| (End::Failed, Vec::new()));
    let reason = Reason::Failed { attempts: 3 };
    assert_eq!(
        outcome,
        Outcome::Failed {
            at: at(0, 0),
            reason
        }
    );
    let ids = run
        .proposed
        .iter()
        .map(|p| p.2)
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(ids.len(), 3);
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Step `a` failed at attempt 3."
    );

    let mut run = single("on_failure = { retry = 2 }");
    let ends = |attempt| {
        if attempt < 3 {
            End::Failed
        } else {
            End::Succeeded
        }
    };
    let outcome = run.finish(|place, attempt| match place.step {
        0 => (ends(attempt), Vec::new()),
        _ => (End::Succeeded, Vec::new()),
    });
    assert_eq!(outcome, Outcome::Succeeded);
}

#[test]
fn attempts_count_together_whatever_ended_them() {
    let mut run = single("on_failure = { retry = 2 }\non_unknown = { retry = 1 }");
    let ends = [End::Unknown, End::Failed, End::Unknown];
    let outcome = run.finish(|_, attempt| (ends[usize::from(attempt) - 1], Vec::new()));
    let reason = Reason::Unknown { attempts: 3 };
    assert_eq!(
        outcome,
        Outcome::Failed {
            at: at(0, 0),
            reason
        }
    );
}

#[test]
fn what_nobody_claimed_is_asked_for_again_without_retries() {
    let mut run = single("");
    let ends = |place: StepRef, attempt| match (place.step, attempt) {
        (0, 1..=5) => End::Lapsed,
        _ => End::Succeeded,
    };
    let outcome = run.finish(|place, attempt| (ends(place, attempt), Vec::new()));
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(attempts(&run, at(0, 0)), 6);
}

#[test]
fn what_nobody_claims_at_all_is_left_after_six_attempts() {
    for lines in ["", "on_failure = { retry = 1 }"] {
        let mut run = single(lines);
        let outcome = run.finish(|_, _| (End::Lapsed, Vec::new()));
        let reason = Reason::Lapsed { attempts: 6 };
        assert_eq!(
            outcome,
            Outcome::Failed {
                at: at(0, 0),
                reason
            }
        );
        assert_eq!(run.proposed.len(), 6);
        assert_eq!(
            outcome.sentence(&run.playbook),
            "Step `a` was not claimed in time at attempt 6."
        );
    }
    let mut run = single("on_failure = \"continue\"");
    let ends = |place: StepRef| match place.step {
        0 => End::Lapsed,
        _ => End::Succeeded,
    };
    let outcome = run.finish(|place, _| (ends(place), Vec::new()));
    let exceptions = vec![Exceptions {
        failed: 1,
        ..Exceptions::default()
    }];
    assert_eq!(outcome, Outcome::SucceededWithExceptions { exceptions });
}

#[test]
fn what_failed_after_it_was_not_claimed_is_not_repeated_without_retries() {
    let mut run = single("");
    let ends = [End::Lapsed, End::Failed];
    let outcome = run.finish(|_, attempt| (ends[usize::from(attempt) - 1], Vec::new()));
    let reason = Reason::Failed { attempts: 2 };
    assert_eq!(
        outcome,
        Outcome::Failed {
            at: at(0, 0),
            reason
        }
    );
}

#[test]
fn an_unknown_action_is_not_repeated_by_on_failure() {
    let mut run = single("on_failure = { retry = 5 }");
    let outcome = run.finish(|_, _| (End::Unknown, Vec::new()));
    let reason = Reason::Unknown { attempts: 1 };
    assert_eq!(
        outcome,
        Outcome::Failed {
            at: at(0, 0),
            reason
        }
    );
}

#[test]
fn items_run_one_after_the_other() {
    let mut run = each("");
    assert_eq!(run_each(&mut run, 3, &[End::Succeeded]), Outcome::Succeeded);
    let order = run.proposed.iter().map(|p| p.0).collect::<Vec<_>>();
    assert_eq!(order, [at(0, 0), at(1, 0), at(1, 1), at(1, 2), at(2, 0)]);
    assert_eq!(run.args_of(1, 2), r#"{"x":2}"#);
    assert_eq!(run.args_of(2, 0), r#"{"x":["out 0","one","out 2"]}"#);
}

#[test]
fn an_empty_list_is_no_action_and_an_empty_list_of_outputs() {
    let mut run = each("");
    assert_eq!(run_each(&mut run, 0, &[]), Outcome::Succeeded);
    assert_eq!(run.args_of(2, 0), r#"{"x":[]}"#);
}

#[test]
fn the_longest_list_is_one_action_per_item() {
    let mut run = each("");
    let outcome = run_each(&mut run, ITEMS_MAX, &[End::Succeeded]);
    assert_eq!(outcome, Outcome::Succeeded);
    assert_eq!(run.proposed.len(), ITEMS_MAX + 2);
}

#[test]
fn an_item_that_is_passed_over_is_missing_from_the_list() {
    let mut run = each("on_refusal = \"continue\"");
    let outcome = run_each(&mut run, 3, &[End::Refused]);
    assert!(matches!(outcome, Outcome::SucceededWithExceptions { .. }));
    assert_eq!(run.args_of(2, 0), r#"{"x":["out 0","out 2"]}"#);
    assert_eq!(
        outcome.sentence(&run.playbook),
        "The playbook ran to its end, with exceptions: step `each`: 1 refused."
    );
}

#[test]
fn a_stopped_item_stops_the_items_after_it() {
    let mut run = each("");
    let outcome = run_each(&mut run, 3, &[End::Failed]);
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Item 1 of step `each` failed at attempt 1."
    );
    assert_eq!(attempts(&run, at(1, 2)), 0);
}

#[test]
fn an_item_retries_before_the_next_item() {
    let mut run = each("on_failure = { retry = 1 }");
    let outcome = run_each(&mut run, 3, &[End::Failed, End::Succeeded]);
    assert_eq!(outcome, Outcome::Succeeded);
    let order = run.proposed.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>();
    assert_eq!(&order[2..5], [(at(1, 1), 1), (at(1, 1), 2), (at(1, 2), 1)]);
}

#[test]
fn parallel_items_fill_the_room_and_no_more() {
    let mut run = each("parallel = true");
    let first = run.advance().unwrap();
    run.settle(first[0], End::Succeeded, &list(40));
    let open = run.advance().unwrap();
    assert_eq!(open.len(), IN_FLIGHT_MAX);
    assert_eq!(run.todos(), []);
    run.settle(open[5], End::Succeeded, b"x");
    assert_eq!(run.advance().unwrap().len(), 1);
    assert_eq!(run.proposed.last().unwrap().0, at(1, 16));
}

#[test]
fn a_finish_waits_for_what_is_open_and_names_the_first_item() {
    let mut run = each("parallel = true");
    let first = run.advance().unwrap();
    run.settle(first[0], End::Succeeded, &list(20));
    let open = run.advance().unwrap();
    run.settle(open[9], End::Refused, b"");
    assert_eq!(
        run.todos(),
        [],
        "nothing new is proposed, nothing is finished"
    );
    for (n, action) in open.iter().enumerate() {
        match n {
            2 => run.settle(*action, End::Failed, b""),
            9 => {}
            _ => run.settle(*action, End::Succeeded, b""),
        }
    }
    let reason = Reason::Failed { attempts: 1 };
    let outcome = Outcome::Failed {
        at: at(1, 2),
        reason,
    };
    assert_eq!(
        run.todos(),
        [Todo::Finish {
            outcome,
            summary: None
        }]
    );
}

#[test]
fn a_list_beyond_the_bound_or_of_another_type_stops() {
    let over = String::from_utf8(list(ITEMS_MAX + 1)).unwrap();
    for (output, wanted) in [
        (
            over.as_str(),
            "`list` is a list of 1001 items; at most 1000 are allowed",
        ),
        ("{}", "`list` is an object, not a list"),
    ] {
        let sentence = each("").sentence(&[output]);
        assert_eq!(
            sentence,
            format!("Item 0 of step `each` failed: `{{list}}` names nothing, because {wanted}.")
        );
    }
}

#[test]
fn arguments_that_cannot_be_made_are_passed_over_where_failures_are() {
    let mut run = Run::new(&format!(
        "{HEAD}[[step]]\nid = \"list\"\ntool = \"t.t\"\n\
         [[step]]\nid = \"each\"\ntool = \"t.t\"\nfor_each = \"{{list}}\"\non_failure = \"continue\"\n\
         args = {{ x = \"{{item.p}}\" }}\n\
         [[step]]\nid = \"none\"\ntool = \"t.t\"\nfor_each = \"{{list[0]}}\"\non_failure = \"continue\"\n\
         [[step]]\nid = \"uses\"\ntool = \"t.t\"\non_failure = \"continue\"\nargs.x = \"{{none}}\"\n\
         [[step]]\nid = \"last\"\ntool = \"t.t\"\nargs.x = \"{{each}}\"\n"
    ));
    let outcome = run.finish(|place, _| match place.step {
        0 => (End::Succeeded, br#"[{"p":1},{"q":2},{"p":3}]"#.into()),
        _ => (End::Succeeded, b"7".into()),
    });
    assert_eq!(
        outcome.sentence(&run.playbook),
        "The playbook ran to its end, with exceptions: step `each`: 1 not proposed; \
         step `none`: 1 not proposed; step `uses`: 1 not proposed."
    );
    assert_eq!(run.args_of(4, 0), r#"{"x":[7,7]}"#);
}

#[test]
fn a_step_that_needs_what_was_refused_says_so() {
    let mut run = Run::new(&format!(
        "{HEAD}[[step]]\nid = \"a\"\ntool = \"t.t\"\non_refusal = \"continue\"\n\
         [[step]]\nid = \"b\"\ntool = \"t.t\"\nargs.x = \"{{a.n}}\"\n"
    ));
    let outcome = run.finish(|_, _| (End::Refused, Vec::new()));
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Step `b` failed: `{a.n}` names nothing, because step `a` was refused and has no output."
    );
}

#[test]
fn an_output_is_asked_for_only_when_it_is_needed() {
    let mut run = each("");
    let first = run.advance().unwrap();
    run.settle(first[0], End::Succeeded, &list(2));
    assert_eq!(run.todos(), [Todo::NeedOutput { at: at(0, 0) }]);
    for _ in 0..2 {
        let open = run.advance().unwrap();
        run.settle(open[0], End::Succeeded, b"x");
    }
    let need = [0, 1].map(|item| Todo::NeedOutput { at: at(1, item) });
    assert_eq!(run.todos(), need);
}

#[test]
fn an_erased_output_fails_the_task_only_while_it_is_needed() {
    let mut run = each("");
    let first = run.advance().unwrap();
    run.settle(first[0], End::Succeeded, &list(1));
    let mut late = each("");
    let first = late.advance().unwrap();
    late.settle(first[0], End::Succeeded, &list(1));

    run.fold(Fact::Erased { at: at(0, 0) });
    let outcome = run.advance().unwrap_err();
    assert_eq!(
        outcome,
        Outcome::Erased {
            at: at(1, 0),
            of: at(0, 0)
        }
    );
    assert_eq!(
        outcome.sentence(&run.playbook),
        "Item 0 of step `each` needs the output of step `list`, which was erased; \
         run the task again."
    );

    let open = late.advance().unwrap();
    late.settle(open[0], End::Succeeded, b"x");
    late.fold(Fact::Erased { at: at(0, 0) });
    let done = late.finish(|_, _| (End::Succeeded, Vec::new()));
    assert_eq!(done, Outcome::Succeeded);
}

#[test]
fn what_is_wrong_is_judged_only_when_all_outputs_are_there() {
    let mut run = Run::new(&format!(
        "{HEAD}[[step]]\nid = \"list\"\ntool = \"t.t\"\n\
         [[step]]\nid = \"other\"\ntool = \"t.t\"\n\
         [[step]]\nid = \"each\"\ntool = \"t.t\"\nfor_each = \"{{list}}\"\n\
         args = {{ x = \"{{other.nope}}\", y = \"{{item.nope}}\" }}\n"
    ));
    for output in [&b"[1]"[..], b"{}"] {
        let open = run.advance().unwrap();
        run.settle(open[0], End::Succeeded, output);
    }
    run.fetched.insert(at(0, 0));
    assert_eq!(run.todos(), [Todo::NeedOutput { at: at(1, 0) }]);
    let sentence = run.advance().unwrap_err().sentence(&run.playbook);
    assert!(sentence.contains("`{other.nope}`"), "{sentence}");
}

#[test]
fn what_was_passed_over_is_not_looked_at_again() {
    let mut run = Run::new(&format!(
        "{HEAD}[[step]]\nid = \"a\"\ntool = \"t.t\"\n\
         [[step]]\nid = \"b\"\ntool = \"t.t\"\nargs.x = \"{{a.nope}}\"\non_failure = \"continue\"\n\
         [[step]]\nid = \"c\"\ntool = \"t.t\"\n"
    ));
    let first = run.advance().unwrap();
    run.settle(first[0], End::Succeeded, b"{}");
    let last = run.advance().unwrap();
    run.fold(Fact::Erased { at: at(0, 0) });
    run.settle(last[0], End::Succeeded, b"{}");
    assert_eq!(
        run.advance().unwrap_err().sentence(&run.playbook),
        "The playbook ran to its end, with exceptions: step `b`: 1 not proposed."
    );
}

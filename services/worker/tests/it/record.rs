//! Tests the facts that the record accepts.

use crate::run::{End, Run};
use bus_schema::ActionId;
use worker::{Fact, Ignored, Progress, State, StepRef};

const AT: StepRef = StepRef { step: 0, item: 0 };

fn id(n: u128) -> ActionId {
    format!("00000000-0000-7000-8000-{n:012x}").parse().unwrap()
}

fn proposed(n: u128, at: StepRef, items: u16, attempt: u8) -> Fact {
    Fact::Proposed {
        action: id(n),
        at,
        items,
        attempt,
    }
}

fn after(facts: &[Fact]) -> Progress {
    let mut progress = Progress::default();
    for fact in facts {
        progress.fold(*fact).unwrap();
    }
    progress
}

#[test]
fn facts_that_do_not_follow_change_nothing() {
    let action = id(1);
    let open = [proposed(1, AT, 2, 1)];
    let failed = [open[0], Fact::Failed { action }];
    let refused = [open[0], Fact::Refused { action }];
    let granted = [open[0], Fact::Granted { action }];
    let succeeded = [open[0], Fact::Succeeded { action }];
    let lapsed = [open[0], granted[1], Fact::Lapsed { action }];
    let retried = [failed[0], failed[1], proposed(2, AT, 2, 2)];
    let cases: &[(&[Fact], Fact)] = &[
        (&[], Fact::Granted { action }),
        (&[], Fact::Erased { at: AT }),
        (&[], proposed(1, AT, 1, 2)),
        (&[], proposed(1, StepRef { step: 0, item: 1 }, 1, 1)),
        (&[], proposed(1, StepRef { step: 256, item: 0 }, 1, 1)),
        (&[], proposed(1, AT, 1_001, 1)),
        (&open, proposed(2, AT, 2, 1)),
        (&open, proposed(2, AT, 2, 2)),
        (&open, proposed(1, StepRef { step: 0, item: 1 }, 2, 1)),
        (&open, proposed(2, StepRef { step: 0, item: 1 }, 3, 1)),
        (&open, Fact::Erased { at: AT }),
        (&granted, Fact::Asked { action }),
        (&granted, Fact::Granted { action }),
        (&failed, Fact::Succeeded { action }),
        (&failed, proposed(1, AT, 2, 2)),
        (&failed, proposed(2, AT, 2, 3)),
        (&lapsed, Fact::Succeeded { action }),
        (&lapsed, proposed(2, AT, 2, 1)),
        (&refused, proposed(2, AT, 2, 2)),
        (&succeeded, Fact::Failed { action }),
        (&succeeded, proposed(2, AT, 2, 2)),
        (&retried, Fact::Succeeded { action }),
    ];
    for (n, (facts, fact)) in cases.iter().enumerate() {
        let before = after(facts);
        let mut progress = before.clone();
        assert_eq!(progress.fold(*fact), Err(Ignored), "case {n}: {fact:?}");
        assert_eq!(progress, before, "case {n}");
    }
}

#[test]
fn a_late_outcome_changes_no_verdict() {
    let action = id(1);
    let facts = [
        proposed(1, AT, 1, 1),
        Fact::Granted { action },
        Fact::Unknown { action },
    ];
    let mut progress = after(&facts);
    assert_eq!(progress.fold(Fact::Succeeded { action }), Err(Ignored));
    assert_eq!(progress.latest(AT), Some((action, 1, State::Unknown)));
}

#[test]
fn progress_survives_a_snapshot() {
    let mut run = Run::new(
        "playbook = \"p\"\npurpose = \"t\"\n[[step]]\nid = \"a\"\ntool = \"t.t\"\n\
         on_failure = { retry = 1 }\n[[step]]\nid = \"b\"\ntool = \"t.t\"\nargs.x = \"{a}\"\n",
    );
    let first = run.advance().unwrap();
    run.settle(first[0], End::Failed, b"");
    let second = run.advance().unwrap();
    run.settle(second[0], End::Succeeded, b"1");
    let json = serde_json::to_string(&run.progress).unwrap();
    let again = serde_json::from_str::<Progress>(&json).unwrap();
    assert_eq!(again, run.progress);
    let packed = rmp_serde::to_vec_named(&(&run.progress, &run.history)).unwrap();
    let (packed, history): (Progress, Vec<Fact>) = rmp_serde::from_slice(&packed).unwrap();
    assert_eq!((&packed, &history), (&run.progress, &run.history));
    let todos = run.todos();
    run.progress = again;
    assert_eq!(run.todos(), todos);
    let json = serde_json::to_string(&todos).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<worker::Todo>>(&json).unwrap(),
        todos
    );
    assert!(serde_json::from_str::<Progress>(r#"{"steps":{},"actions":{},"x":1}"#).is_err());
}

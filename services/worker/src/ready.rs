//! Decides the next todos of a task from its playbook and its progress.

use bus_schema::Time;
use serde_json::Value;
use std::collections::BTreeSet;

use crate::outcome::{Exceptions, Outcome};
use crate::playbook::Playbook;
use crate::progress::{Progress, StepRef};
use crate::resolve::{Past, Resolver};
use crate::todo::Todo;
use crate::turn::{Turn, Verdict};

/// The things that a decision reads beside playbook, record and outputs.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The values of the slots of the task by name; null if it has none.
    pub slots: &'a Value,
    /// Bus time.
    pub now: Time,
    /// The bus time of the last fact that ended an action, or else of the task's admission: waits begin there.
    pub since: Time,
}

/// Returns the next todos. They are empty while the task can only wait for the record.
///
/// `outputs` gives the bytes of a successful outcome, `None` while they are not fetched. The same
/// arguments give the same answer, for every input. What is proposed here and then folded is
/// never proposed again, and a finish is given only when no action is open.
#[must_use]
pub fn ready<'o>(
    playbook: &Playbook,
    progress: &Progress,
    around: Around<'_>,
    outputs: &dyn Fn(StepRef) -> Option<&'o [u8]>,
) -> Vec<Todo> {
    let mut past = Vec::new();
    let mut exceptions = Vec::new();
    let mut branches = BTreeSet::<u16>::new();
    let mut since = around.since;
    let values = (playbook.input_values(), around.slots);
    let mut resolver = Resolver::new(progress, values, outputs);
    for (position, step) in (0_u16..).zip(playbook.steps()) {
        let mut turn = Turn {
            step,
            position,
            progress,
            past: &past,
            resolver: &mut resolver,
            now: around.now,
            since,
            exceptions: Exceptions {
                step: position,
                ..Exceptions::default()
            },
        };
        let verdict = if step.is_branch() && !branches.contains(&position) {
            Verdict::Done(Past::Nothing(format!(
                "step `{}` did not run, because nothing went to it",
                step.id()
            )))
        } else {
            turn.take()
        };
        since = turn.since;
        let passed_over = turn.exceptions;
        let left = match verdict {
            Verdict::Done(left) => left,
            Verdict::Otherwise(left) => {
                branches.extend(step.branches());
                left
            }
            Verdict::Now(todos) => return todos,
            Verdict::Stop(outcome) => {
                let summary = None;
                return vec![Todo::Finish { outcome, summary }];
            }
        };
        past.push(left);
        exceptions.extend((!passed_over.is_empty()).then_some(passed_over));
    }
    let outcome = if exceptions.is_empty() {
        Outcome::Succeeded
    } else {
        Outcome::SucceededWithExceptions { exceptions }
    };
    let mut summary = None;
    if let Some(pieces) = playbook.summary() {
        match resolver.summary(pieces, &past) {
            Ok(text) => summary = Some(text),
            Err(need) => return need.into_iter().map(|at| Todo::NeedOutput { at }).collect(),
        }
    }
    vec![Todo::Finish { outcome, summary }]
}

//! Decides the next todos of a task from its playbook and its progress.

use bus_schema::Time;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::outcome::Outcome;
use crate::playbook::Playbook;
use crate::progress::{Progress, StepRef};
use crate::resolve::Resolver;
use crate::stage::Stage;
use crate::todo::Todo;

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
    let values = (playbook.input_values(), around.slots);
    let mut resolver = Resolver::new(progress, values, outputs);
    let mut stage = Stage {
        playbook,
        progress,
        resolver: &mut resolver,
        now: around.now,
        since: around.since,
        past: Vec::new(),
        exceptions: Vec::new(),
        branches: BTreeSet::new(),
    };
    if let ControlFlow::Break(todos) = stage.run() {
        return todos;
    }
    let Stage {
        past, exceptions, ..
    } = stage;
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

//! Decides the next request of one task from its state and its fetched contents.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use bus_schema::{
    ActionId, ActionProposed, Draft, Sealed, StepName, TaskFinished, TaskId, TaskOutcome, Time,
    TooLarge,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    held::{ContentKey, Held, Store, bounded},
    outcome::Outcome,
    playbook::{PLAYBOOK_BYTES_MAX, Playbook},
    progress::{Fact, StepRef},
    ready::{Around, ready},
    task::{Stored, Task},
    todo::Todo,
};

/// The next request of a task.
pub(crate) enum Answer {
    /// Wait for the record.
    Wait,
    /// Ask again at this moment.
    Sleep(Time),
    /// Fetch these contents, all of them into memory.
    Fetch(Need),
    /// Propose an action.
    Propose(Proposal),
    /// Finish the task.
    Finish(Ending),
}

/// The contents that one decision needs at the same time.
#[derive(Default)]
pub(crate) struct Need {
    pub(crate) contents: BTreeMap<ContentKey, Stored>,
    /// The cost of holding them all in memory.
    pub(crate) cost: usize,
}

/// An action to be proposed.
pub(crate) struct Proposal {
    step: StepName,
    at: StepRef,
    items: u16,
    attempt: u8,
    tool: bus_schema::ToolName,
    args: Vec<u8>,
}

/// The end of a task, with the detail as it is in the content.
pub(crate) struct Ending {
    outcome: TaskOutcome,
    detail: Option<Detail>,
}

#[derive(Serialize)]
struct Detail {
    step: Option<StepName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The summary of the playbook.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Ending {
    fn failed(step: Option<StepName>, reason: String) -> Answer {
        Answer::Finish(Self {
            outcome: TaskOutcome::Failed,
            detail: Some(Detail {
                step,
                reason: Some(bounded(reason)),
                text: None,
            }),
        })
    }

    fn of(outcome: &Outcome, summary: Option<String>, playbook: &Playbook) -> Answer {
        let id = |at: &StepRef| playbook.step(at.step).map(|step| step.id().clone());
        let reason = match outcome {
            Outcome::Succeeded => None,
            Outcome::SucceededWithExceptions { .. } => Some(bounded(outcome.sentence(playbook))),
            Outcome::Failed { at, .. } | Outcome::Erased { at, .. } => {
                return Self::failed(id(at), outcome.sentence(playbook));
            }
        };
        let text = summary.map(bounded);
        let says = reason.is_some() || text.is_some();
        Answer::Finish(Self {
            outcome: TaskOutcome::Succeeded,
            detail: says.then_some(Detail {
                step: None,
                reason,
                text,
            }),
        })
    }

    pub(crate) fn draft(
        &self,
        task: TaskId,
        seal: impl Fn(&[u8]) -> Result<Sealed, TooLarge>,
    ) -> Option<Draft<bus_schema::Worker>> {
        let detail = match &self.detail {
            Some(detail) => Some(seal(&serde_json::to_vec(detail).ok()?).ok()?),
            None => None,
        };
        let fact = TaskFinished {
            outcome: self.outcome,
            detail: detail.as_ref().map(Sealed::content),
        };
        let draft = Draft::of(task, fact);
        Some(match detail {
            Some(detail) => draft.with(detail),
            None => draft,
        })
    }
}

impl Proposal {
    pub(crate) fn draft(
        self,
        task: TaskId,
        action: ActionId,
        seal: impl Fn(&[u8]) -> Result<Sealed, TooLarge>,
    ) -> Option<Draft<bus_schema::Worker>> {
        let args = seal(&self.args).ok()?;
        let fact = ActionProposed {
            action,
            step: self.step,
            index: self.at.step,
            item: self.at.item,
            items: self.items,
            attempt: self.attempt,
            tool: self.tool,
            args: args.content(),
        };
        Some(Draft::of(task, fact).with(args))
    }
}

/// Returns the task's next request; it depends only on the task's state, its own fetched contents and bus time.
pub(crate) fn answer(id: TaskId, task: &Task, store: &Store, now: Time) -> Answer {
    if task.is_cancelled() {
        return if task.progress.is_settled() {
            Answer::Finish(Ending {
                outcome: TaskOutcome::Cancelled,
                detail: None,
            })
        } else {
            Answer::Wait
        };
    }
    let len = task.playbook.len();
    if len as usize > PLAYBOOK_BYTES_MAX {
        let reason =
            format!("The playbook is {len} bytes long; shorten it to {PLAYBOOK_BYTES_MAX}.");
        return Ending::failed(None, reason);
    }
    match store.get(id, ContentKey::Playbook) {
        Some(Held::Playbook(playbook)) => with_playbook((id, task), store, playbook, now),
        Some(Held::Unusable(reason)) => Ending::failed(None, reason.clone()),
        Some(Held::Erased | Held::Slots(_) | Held::Output(_)) => {
            let reason = "The playbook was erased; submit the task again.";
            Ending::failed(None, reason.into())
        }
        None => need(task, store, &BTreeSet::new()),
    }
}

fn with_playbook(
    (id, task): (TaskId, &Task),
    store: &Store,
    playbook: &Playbook,
    now: Time,
) -> Answer {
    if let Some(input) = playbook.missing().next() {
        let reason = format!(
            "The input `{0}` has no value; submit the task again with `--input {0}=…`.",
            input.name()
        );
        return Ending::failed(None, reason);
    }
    let around = |slots| Around {
        slots,
        now,
        since: task.since,
    };
    let held = task.slots.map(|_| store.get(id, ContentKey::Slots));
    match held {
        None => decided(id, task, store, (playbook, around(&Value::Null))),
        Some(Some(Held::Slots(slots))) => decided(id, task, store, (playbook, around(slots))),
        Some(Some(Held::Unusable(reason))) => Ending::failed(None, reason.clone()),
        Some(Some(Held::Erased | Held::Playbook(_) | Held::Output(_))) => {
            let reason = "The values of the slots were erased; submit the task again.";
            Ending::failed(None, reason.into())
        }
        Some(None) => need(task, store, &BTreeSet::new()),
    }
}

fn decided(
    id: TaskId,
    task: &Task,
    store: &Store,
    (playbook, around): (&Playbook, Around<'_>),
) -> Answer {
    let mut erased = store.erased(id).peekable();
    let progress = if erased.peek().is_some() {
        let mut progress = task.progress.clone();
        for at in erased {
            // Only an output of a success is ever fetched, so the record takes it.
            progress.fold(Fact::Erased { at }).ok();
        }
        std::borrow::Cow::Owned(progress)
    } else {
        std::borrow::Cow::Borrowed(&task.progress)
    };
    let used = RefCell::new(BTreeSet::new());
    let output = |at: StepRef| {
        used.borrow_mut().insert(at);
        match store.get(id, ContentKey::Output(at)) {
            Some(Held::Output(bytes)) => Some(bytes.as_slice()),
            Some(Held::Playbook(_) | Held::Slots(_) | Held::Unusable(_) | Held::Erased) | None => {
                None
            }
        }
    };
    let Some(first) = ready(playbook, &progress, around, &output)
        .into_iter()
        .next()
    else {
        return Answer::Wait;
    };
    match first {
        Todo::NeedOutput { .. } => need(task, store, &used.borrow()),
        Todo::Wait { until } => Answer::Sleep(until),
        Todo::Finish { outcome, summary } => Ending::of(&outcome, summary, playbook),
        Todo::Propose {
            at,
            items,
            attempt,
            tool,
            args,
        } => match playbook.step(at.step) {
            Some(step) => Answer::Propose(Proposal {
                step: step.id().clone(),
                at,
                items,
                attempt,
                tool,
                args,
            }),
            None => Answer::Wait,
        },
    }
}

/// Requests the playbook, the slots, and the outputs that the decision used, if all fit into memory.
fn need(task: &Task, store: &Store, used: &BTreeSet<StepRef>) -> Answer {
    let mut need = Need::default();
    let outputs = used
        .iter()
        .filter_map(|at| Some((ContentKey::Output(*at), *task.outputs.get(at)?)));
    let slots = task.slots.map(|slots| (ContentKey::Slots, slots));
    let stored = Stored {
        by: task.by,
        content: task.playbook,
    };
    let playbook = (ContentKey::Playbook, stored);
    let first = std::iter::once(playbook).chain(slots);
    for (slot, stored) in first.chain(outputs) {
        need.cost = need.cost.saturating_add(slot.cost(&stored.content));
        need.contents.insert(slot, stored);
    }
    if need.cost > store.bytes_max() {
        let reason = format!(
            "A step needs outputs of {} bytes at once, and at most {} can be held; let it need less.",
            need.cost,
            store.bytes_max()
        );
        return Ending::failed(None, reason);
    }
    Answer::Fetch(need)
}

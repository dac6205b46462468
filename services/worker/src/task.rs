//! Folds what the record says about one task and its actions, by the verdicts that all readers share.

use std::collections::BTreeMap;

use bus_schema::{
    ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed, Content, EventId, Meta,
    OUTCOME_GRACE_MS, TaskAdmitted, TaskId, Time,
};
use serde::{Deserialize, Serialize};

use crate::progress::{Fact, Progress, StepRef};

/// How long after a deadline its passing is put on record: a claim on its way does not race with it.
pub const EXPIRY_MARGIN_MS: u64 = 100;
/// Marks in vain after which the pause before the next one grows no more: about two hours.
const MARKS_MAX: u32 = 16;

/// One admitted task, until it is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// The place of its admission in the stream.
    pub(crate) admitted: u64,
    pub(crate) playbook: Content,
    pub(crate) progress: Progress,
    /// The outputs of the actions that succeeded.
    pub(crate) outputs: BTreeMap<StepRef, Content>,
    /// The event of another author that the task's next one answers.
    pub(crate) cause: EventId,
    granted: BTreeMap<ActionId, Granted>,
}

/// A granted action that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Granted {
    /// The last moment at which it could be claimed or, once claimed, be finished.
    deadline: Time,
    wall_ms: u32,
    started: bool,
    cause: EventId,
    /// How often its passing was marked in vain, at a stored time that does not prove it.
    marks: u32,
}

impl Granted {
    fn due(&self) -> Time {
        let pause_ms = EXPIRY_MARGIN_MS << self.marks.min(MARKS_MAX);
        self.deadline.plus_ms(pause_ms)
    }

    /// What its end is, if bus time has passed its deadline.
    fn verdict(&self, action: ActionId) -> Fact {
        if self.started {
            Fact::Unknown { action }
        } else {
            Fact::Lapsed { action }
        }
    }
}

/// What a fact about a granted action says.
pub(crate) enum Said<'a> {
    Started,
    Finished(&'a ActionFinished),
    Declined,
    Expired,
}

impl Task {
    pub(crate) fn new(meta: &Meta, fact: &TaskAdmitted) -> Self {
        Self {
            admitted: meta.seq,
            playbook: fact.playbook,
            progress: Progress::default(),
            outputs: BTreeMap::new(),
            cause: meta.id,
            granted: BTreeMap::new(),
        }
    }

    /// When the passing of an action's deadline is to be put on record, and what caused the deadline.
    pub(crate) fn due(&self, action: ActionId) -> Option<(Time, EventId)> {
        let granted = self.granted.get(&action)?;
        Some((granted.due(), granted.cause))
    }

    /// The actions that have a deadline.
    pub(crate) fn granted(&self) -> impl Iterator<Item = ActionId> + '_ {
        self.granted.keys().copied()
    }

    pub(crate) fn propose(&mut self, fact: &ActionProposed) {
        let at = StepRef {
            step: fact.index,
            item: fact.item,
        };
        self.take(Fact::Proposed {
            action: fact.action,
            at,
            items: fact.items,
            attempt: fact.attempt,
        });
    }

    pub(crate) fn ask(&mut self, action: ActionId) {
        self.take(Fact::Asked { action });
    }

    /// A refusal counts only before a grant: what was granted may have run.
    pub(crate) fn refuse(&mut self, meta: &Meta, action: ActionId) {
        if !self.granted.contains_key(&action) && self.take(Fact::Refused { action }) {
            self.cause = meta.id;
        }
    }

    pub(crate) fn grant(&mut self, meta: &Meta, task: TaskId, fact: &ActionGranted) {
        let draft = &fact.grant.draft;
        let action = draft.action;
        if draft.task == task && self.take(Fact::Granted { action }) {
            let granted = Granted {
                deadline: meta.stored.plus_ms(u64::from(draft.ttl_ms)),
                wall_ms: draft.wall_ms,
                started: false,
                cause: meta.id,
                marks: 0,
            };
            self.granted.insert(action, granted);
        }
    }

    /// Takes in what is said about a granted action; past its deadline, whatever is said only marks that.
    pub(crate) fn hear(&mut self, meta: &Meta, action: ActionId, said: &Said<'_>) {
        let Some(granted) = self.granted.get_mut(&action) else {
            return;
        };
        if meta.stored > granted.deadline {
            let verdict = granted.verdict(action);
            return self.settle(meta, action, verdict);
        }
        match (said, granted.started) {
            (Said::Started, false) => {
                granted.started = true;
                let run_ms = u64::from(granted.wall_ms) + u64::from(OUTCOME_GRACE_MS);
                granted.deadline = meta.stored.plus_ms(run_ms);
                granted.cause = meta.id;
                granted.marks = 0;
            }
            (Said::Declined, false) => self.settle(meta, action, Fact::Failed { action }),
            (Said::Finished(fact), true) => match fact.outcome {
                ActionOutcome::Succeeded => {
                    let at = self.progress.place(action);
                    self.outputs.extend(at.map(|at| (at, fact.output)));
                    self.settle(meta, action, Fact::Succeeded { action });
                }
                ActionOutcome::Failed | ActionOutcome::TimedOut | ActionOutcome::Killed => {
                    self.settle(meta, action, Fact::Failed { action });
                }
            },
            (Said::Expired, _) => granted.marks = granted.marks.saturating_add(1),
            (Said::Started | Said::Declined, true) | (Said::Finished(_), false) => {}
        }
    }

    fn settle(&mut self, meta: &Meta, action: ActionId, fact: Fact) {
        self.granted.remove(&action);
        self.take(fact);
        self.cause = meta.id;
    }

    /// Whether the fact changed anything; one that does not follow is left alone.
    fn take(&mut self, fact: Fact) -> bool {
        self.progress.fold(fact).is_ok()
    }
}

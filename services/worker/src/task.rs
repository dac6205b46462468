//! Folds the recorded facts about one task and its actions, by the verdicts that all readers share.

use std::collections::BTreeMap;

use bus_schema::{
    ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed, AuthorId, Content,
    EventId, Meta, TaskAdmitted, TaskId, Time, lifecycle::finish_by,
};
use serde::{Deserialize, Serialize};

use crate::progress::{Fact, Progress, StepRef};

/// The delay between a deadline and the record of its passing, so that a claim in flight does not race with it.
pub const EXPIRY_MARGIN_MS: u64 = 100;
/// Number of unsuccessful marks after which the backoff stops growing, at about two hours.
const MARKS_MAX: u32 = 16;

/// One admitted, unfinished task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// The place of its admission in the stream.
    pub(crate) admitted: u64,
    pub(crate) playbook: Content,
    /// The values of its slots.
    pub(crate) slots: Option<Content>,
    pub(crate) progress: Progress,
    /// The outputs of successful actions.
    pub(crate) outputs: BTreeMap<StepRef, Stored>,
    /// The event of another author that the task's next one answers.
    pub(crate) cause: EventId,
    granted: BTreeMap<ActionId, Granted>,
    /// True if the owner cancelled it.
    cancelled: bool,
}

/// A content with the author that stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) by: AuthorId,
    pub(crate) content: Content,
}

/// A granted action that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Granted {
    /// The last moment for its claim or, once claimed, for its outcome.
    deadline: Time,
    wall_ms: u32,
    started: bool,
    /// The executor that may claim it; nobody else can say what became of it.
    audience: AuthorId,
    cause: EventId,
    /// The number of marks whose stored time does not prove that the deadline passed.
    marks: u32,
}

impl Granted {
    fn due(&self) -> Time {
        let pause_ms = EXPIRY_MARGIN_MS << self.marks.min(MARKS_MAX);
        self.deadline.plus_ms(pause_ms)
    }

    /// Returns its end, if bus time has passed its deadline.
    fn verdict(&self, action: ActionId) -> Fact {
        if self.started {
            Fact::Unknown { action }
        } else {
            Fact::Lapsed { action }
        }
    }
}

/// The content of a fact about a granted action.
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
            slots: fact.slots,
            progress: Progress::default(),
            outputs: BTreeMap::new(),
            cause: meta.id,
            granted: BTreeMap::new(),
            cancelled: false,
        }
    }

    pub(crate) const fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    pub(crate) fn cancel(&mut self, meta: &Meta) {
        self.cancelled = true;
        self.cause = meta.id;
    }

    /// Returns the time at which an action's passed deadline is to be recorded, and the cause of the deadline.
    pub(crate) fn due(&self, action: ActionId) -> Option<(Time, EventId)> {
        let granted = self.granted.get(&action)?;
        Some((granted.due(), granted.cause))
    }

    /// Returns the actions that have a deadline.
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

    /// Folds a refusal. It counts only before a grant, because a granted action may have run.
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
                deadline: draft.claim_by(meta.stored),
                wall_ms: draft.wall_ms,
                started: false,
                audience: draft.audience,
                cause: meta.id,
                marks: 0,
            };
            self.granted.insert(action, granted);
        }
    }

    /// Folds a fact about a granted action. Past its deadline, every fact only marks that it has passed.
    pub(crate) fn hear(&mut self, meta: &Meta, action: ActionId, said: &Said<'_>) {
        let Some(granted) = self.granted.get_mut(&action) else {
            return;
        };
        if meta.stored > granted.deadline {
            let verdict = granted.verdict(action);
            return self.settle(meta, action, verdict);
        }
        if !matches!(said, Said::Expired) && meta.by != granted.audience {
            return;
        }
        match (said, granted.started) {
            (Said::Started, false) => {
                granted.started = true;
                granted.deadline = finish_by(meta.stored, u64::from(granted.wall_ms));
                granted.cause = meta.id;
                granted.marks = 0;
            }
            (Said::Declined, false) => self.settle(meta, action, Fact::Failed { action }),
            (Said::Finished(fact), true) => match fact.outcome {
                ActionOutcome::Succeeded => {
                    let at = self.progress.place(action);
                    let by = meta.by;
                    let content = fact.output;
                    self.outputs
                        .extend(at.map(|at| (at, Stored { by, content })));
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

    /// Folds a fact and returns true if it changed anything; an invalid fact is ignored.
    fn take(&mut self, fact: Fact) -> bool {
        self.progress.fold(fact).is_ok()
    }
}

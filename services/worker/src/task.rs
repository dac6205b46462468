//! Folds the recorded facts about one task and its actions, by the verdicts that all readers share.

use std::collections::BTreeMap;

use bus_schema::{
    ActionGranted, ActionId, ActionProposed, AuthorId, Content, EventId, Meta, TaskAdmitted,
    TaskId, Time,
};
use proposer::{End, Heard, OpenGrants};
use serde::{Deserialize, Serialize};

use crate::progress::{Fact, Progress, StepRef};

/// One admitted, unfinished task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// The place of its admission in the stream.
    pub(crate) admitted: u64,
    pub(crate) playbook: Content,
    /// The values of its slots.
    pub(crate) slots: Option<Stored>,
    /// The author that put the playbook there: the gateway, or the owner for a run of a job.
    pub(crate) by: AuthorId,
    pub(crate) progress: Progress,
    /// The outputs of successful actions.
    pub(crate) outputs: BTreeMap<StepRef, Stored>,
    /// The bus time of the last fact that ended an action, or else of the admission.
    pub(crate) since: Time,
    /// The event of another author that the task's next one answers.
    pub(crate) cause: EventId,
    granted: OpenGrants,
    /// True if the owner cancelled it, or policy stopped it.
    cancelled: bool,
}

/// A content with the author that stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) by: AuthorId,
    pub(crate) content: Content,
}

impl Task {
    pub(crate) fn new(meta: &Meta, fact: &TaskAdmitted) -> Self {
        let by = fact.slots_by();
        let slots = fact.slots.map(|content| Stored { by, content });
        Self {
            admitted: meta.seq,
            playbook: fact.playbook,
            slots,
            by: fact.contents_by(),
            progress: Progress::default(),
            outputs: BTreeMap::new(),
            since: meta.stored,
            cause: meta.id,
            granted: OpenGrants::default(),
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

    /// Returns the actions that are granted and not settled.
    pub(crate) const fn granted(&self) -> &OpenGrants {
        &self.granted
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
        if !self.granted.has(action) && self.take(Fact::Refused { action }) {
            self.since = meta.stored;
            self.cause = meta.id;
        }
    }

    pub(crate) fn grant(&mut self, meta: &Meta, task: TaskId, fact: &ActionGranted) {
        let draft = &fact.grant.draft;
        let action = draft.action;
        if draft.task == task && self.take(Fact::Granted { action }) {
            self.granted.grant(meta, draft);
        }
    }

    /// Folds a fact about a granted action.
    pub(crate) fn hear(&mut self, meta: &Meta, action: ActionId, heard: Heard<'_>) {
        let fact = match self.granted.hear(meta, action, heard) {
            None => return,
            Some(End::Succeeded(by, content)) => {
                let at = self.progress.place(action);
                self.outputs
                    .extend(at.map(|at| (at, Stored { by, content })));
                Fact::Succeeded { action }
            }
            Some(End::Failed) => Fact::Failed { action },
            Some(End::Lapsed) => Fact::Lapsed { action },
            Some(End::Unknown) => Fact::Unknown { action },
        };
        if self.take(fact) {
            self.since = meta.stored;
        }
        self.cause = meta.id;
    }

    /// Folds a fact and returns true if it changed anything; an invalid fact is ignored.
    fn take(&mut self, fact: Fact) -> bool {
        self.progress.fold(fact).is_ok()
    }
}

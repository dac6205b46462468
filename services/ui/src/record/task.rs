//! The newest tasks with their actions, within fixed limits.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionId, ActionProposed, AuthorId, Content, Digest, JobName, Meta, RefusalCode, TaskAdmitted,
    TaskFinished, TaskId, TaskOutcome, TaskRejected, TaskSubmitted, Time,
};
use serde::{Deserialize, Serialize};

use super::action::{ActionRecord, ActionState, AskedQuestion};

/// Most tasks.
pub(crate) const TASKS_MAX: usize = 1_000;
/// Most actions of a task; later ones are only counted.
pub(crate) const ACTIONS_MAX: usize = 2_000;
/// Most actions of all tasks.
const ALL_ACTIONS_MAX: usize = 20_000;

/// The newest tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tasks {
    tasks: BTreeMap<TaskId, TaskRecord>,
    by_age: BTreeMap<u64, TaskId>,
    actions: usize,
    /// The tasks that were dropped, so that no late event opens one again.
    dropped: BTreeSet<TaskId>,
}

/// Most dropped tasks that are remembered.
const DROPPED_MAX: usize = 20_000;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub(crate) id: TaskId,
    /// The place of its first event in the stream.
    pub(crate) seq: u64,
    pub(crate) submitted: Time,
    pub(crate) stage: TaskStage,
    pub(crate) contract: Option<Digest>,
    /// The playbook, or what the person wants of a session or a dialogue, with the author that stored it.
    pub(crate) text: Option<(AuthorId, Content)>,
    pub(crate) slots: Option<(AuthorId, Content)>,
    pub(crate) kind: TaskKind,
    pub(crate) job: Option<JobName>,
    pub(crate) cancelled: Option<Time>,
    pub(crate) actions: Vec<ActionRecord>,
    /// The number of actions that were not kept.
    pub(crate) more: u32,
    /// The place and the time of the last event about it.
    pub(crate) last: (u64, Time),
    index: BTreeMap<ActionId, usize>,
}

/// The driver of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskKind {
    /// The steps of a playbook.
    Playbook,
    /// A person's own agent.
    Session,
    /// A model.
    Dialogue,
}

impl TaskKind {
    /// The author whose proposals and end count.
    const fn proposer(self) -> AuthorId {
        match self {
            Self::Playbook => AuthorId::Worker,
            Self::Session | Self::Dialogue => AuthorId::Engine,
        }
    }
}

/// The stage of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskStage {
    /// Policy has not answered.
    Submitted,
    /// It goes on.
    Open,
    /// Policy rejected it.
    Rejected {
        code: RefusalCode,
        why: Option<Content>,
    },
    /// It ended.
    Ended {
        by: AuthorId,
        outcome: TaskOutcome,
        detail: Option<Content>,
    },
}

impl Tasks {
    /// Returns a task.
    pub(crate) fn get(&self, task: TaskId) -> Option<&TaskRecord> {
        self.tasks.get(&task)
    }

    /// Returns all tasks, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &TaskRecord> {
        let ids = self.by_age.values().rev();
        ids.filter_map(|id| self.tasks.get(id))
    }

    /// Opens a task and folds the fact that does; others cannot make tasks.
    pub(super) fn opened(&mut self, meta: &Meta, task: TaskId, fold: impl FnOnce(&mut TaskRecord)) {
        self.open(task, meta);
        self.about(meta, task, fold);
    }

    /// Folds a fact about a task that is kept.
    pub(super) fn about(&mut self, meta: &Meta, task: TaskId, fold: impl FnOnce(&mut TaskRecord)) {
        if let Some(found) = self.tasks.get_mut(&task) {
            let before = found.actions.len();
            fold(found);
            found.last = (meta.seq, meta.stored);
            self.actions = (self.actions + found.actions.len()).saturating_sub(before);
        }
        self.bound();
    }

    /// Folds a fact about an action that is kept.
    pub(super) fn action(
        &mut self,
        meta: &Meta,
        (task, action): (TaskId, ActionId),
        fold: impl FnOnce(&mut ActionRecord),
    ) {
        self.about(meta, task, |found| {
            let index = found.index.get(&action).copied();
            if let Some(action) = index.and_then(|index| found.actions.get_mut(index)) {
                fold(action);
            }
        });
    }

    fn open(&mut self, task: TaskId, meta: &Meta) {
        if !self.tasks.contains_key(&task) && !self.dropped.contains(&task) {
            self.tasks.insert(task, TaskRecord::new(task, meta));
            self.by_age.insert(meta.seq, task);
        }
    }

    /// Takes the oldest task that has ended from the order, or the oldest at all if none has.
    fn leaves(&mut self) -> Option<TaskId> {
        let has_ended = |id: &TaskId| self.tasks.get(id).is_none_or(|task| !task.is_open());
        let ended = self.by_age.iter().find(|(_, id)| has_ended(id));
        let seq = ended
            .or_else(|| self.by_age.iter().next())
            .map(|(seq, _)| *seq)?;
        self.by_age.remove(&seq)
    }

    fn bound(&mut self) {
        while self.tasks.len() > TASKS_MAX || self.actions > ALL_ACTIONS_MAX {
            let Some(oldest) = self.leaves() else {
                return;
            };
            if let Some(task) = self.tasks.remove(&oldest) {
                self.actions = self.actions.saturating_sub(task.actions.len());
            }
            self.dropped.insert(oldest);
            if self.dropped.len() > DROPPED_MAX {
                self.dropped.pop_first();
            }
        }
    }
}

impl TaskRecord {
    fn new(id: TaskId, meta: &Meta) -> Self {
        Self {
            id,
            seq: meta.seq,
            submitted: meta.stored,
            stage: TaskStage::Submitted,
            contract: None,
            text: None,
            slots: None,
            kind: TaskKind::Playbook,
            job: None,
            cancelled: None,
            actions: Vec::new(),
            more: 0,
            last: (meta.seq, meta.stored),
            index: BTreeMap::new(),
        }
    }

    /// Returns true if it has neither ended nor been rejected.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.stage, TaskStage::Submitted | TaskStage::Open)
    }

    /// Returns the questions that can still be answered at `now`.
    pub(crate) fn questions(
        &self,
        now: Time,
    ) -> impl Iterator<Item = (&ActionRecord, &AskedQuestion)> {
        let open = self.is_open() && self.cancelled.is_none();
        let actions = self.actions.iter().filter(move |_| open);
        actions.filter_map(move |action| match action.state(now) {
            ActionState::Asks(question) if now <= question.until => Some((action, question)),
            ActionState::Asks(_)
            | ActionState::Proposed
            | ActionState::Granted
            | ActionState::Running
            | ActionState::Refused(_)
            | ActionState::Ended(_)
            | ActionState::Declined(_)
            | ActionState::NotClaimed
            | ActionState::Unknown => None,
        })
    }

    pub(super) fn submit(&mut self, fact: &TaskSubmitted) {
        if self.text.is_none() {
            self.text = Some((AuthorId::Gateway, fact.playbook));
            self.slots = fact.slots.map(|slots| (AuthorId::Gateway, slots));
        }
    }

    pub(super) fn admit(&mut self, fact: TaskAdmitted) {
        if self.stage != TaskStage::Submitted {
            return;
        }
        self.stage = TaskStage::Open;
        self.contract = Some(fact.contract);
        self.text = Some((fact.contents_by(), fact.playbook));
        self.slots = fact.slots.map(|slots| (fact.slots_by(), slots));
        self.kind = match (fact.session, fact.dialogue) {
            (Some(_), _) => TaskKind::Session,
            (None, Some(_)) => TaskKind::Dialogue,
            (None, None) => TaskKind::Playbook,
        };
        self.job = fact.job;
    }

    pub(super) fn reject(&mut self, fact: &TaskRejected) {
        if self.stage == TaskStage::Submitted {
            self.stage = TaskStage::Rejected {
                code: fact.code,
                why: fact.why,
            };
        }
    }

    pub(super) fn finish(&mut self, meta: &Meta, fact: &TaskFinished) {
        if self.stage == TaskStage::Open && meta.by == self.kind.proposer() {
            self.stage = TaskStage::Ended {
                by: meta.by,
                outcome: fact.outcome,
                detail: fact.detail,
            };
        }
    }

    pub(super) fn cancel(&mut self, meta: &Meta) {
        if self.is_open() {
            self.cancelled.get_or_insert(meta.stored);
        }
    }

    pub(super) fn propose(&mut self, meta: &Meta, fact: ActionProposed) {
        if self.index.contains_key(&fact.action) || meta.by != self.kind.proposer() {
            return;
        }
        if self.actions.len() >= ACTIONS_MAX {
            self.drop_settled();
        }
        if self.actions.len() >= ACTIONS_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        self.index.insert(fact.action, self.actions.len());
        self.actions.push(ActionRecord::new(meta, fact));
    }

    /// Makes room: drops the older half of the settled actions, because what waits must stay.
    fn drop_settled(&mut self) {
        let settled = self.actions.iter().filter(|one| one.is_settled()).count();
        let mut drops = settled.div_ceil(2);
        self.more = self
            .more
            .saturating_add(u32::try_from(drops).unwrap_or(u32::MAX));
        self.actions.retain(|one| {
            let drop = drops > 0 && one.is_settled();
            drops -= usize::from(drop);
            !drop
        });
        let places = self.actions.iter().enumerate();
        self.index = places.map(|(place, one)| (one.id, place)).collect();
    }
}

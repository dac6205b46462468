//! The projection of the stream: the newest tasks with their events, within fixed limits.

mod spoken;

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    APPROVERS_MAX, ActionId, ApprovalCarried, AuthorId, Content, ContractSigned, DeploymentId,
    DeviceEndorsed, Devices, Digest, DraftGrant, GatewayFact, Grant, Meta, PublicKey, RefusalCode,
    Signers, TaskId, TaskOutcome, Time, lifecycle::finish_by, wire,
};
use serde::{Deserialize, Serialize};

use crate::{
    api::{ContractLabel, Summary, TaskState},
    owner_words::OwnerWords,
    text::Text,
    waits,
};

/// The maximum number of tasks.
pub const TASKS_MAX: usize = 1_000;
/// The maximum number of events of one task.
pub const EVENTS_MAX: usize = 4_000;
/// The maximum size of one task's events, as JSON.
pub const TASK_TEXT_BYTES_MAX: usize = 8 << 20;
/// The maximum size of all tasks' events, as JSON.
pub const TEXT_BYTES_MAX: usize = 64 << 20;
/// The maximum number of dropped task ids; above it, the smallest id, which is the oldest, is removed.
const DROPPED_MAX: usize = 100_000;
/// The maximum number of signed contracts that are named; later ones are shown by their digest.
const CONTRACTS_MAX: usize = 10_000;

/// An event in the form in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The sequence number in the stream.
    pub(crate) seq: u64,
    /// `<noun>.<past-verb>`.
    pub(crate) kind: Text,
    /// The JSON of an [`crate::api::Event`], on one line.
    pub(crate) text: Text,
}

/// The newest tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    deployment: Option<DeploymentId>,
    halted: bool,
    now: Time,
    tasks: BTreeMap<TaskId, TaskEntry>,
    by_age: BTreeMap<u64, TaskId>,
    dropped: BTreeSet<TaskId>,
    /// The devices that the owner endorsed.
    #[serde(default)]
    devices: Devices,
    /// The events of the owner that devices check.
    #[serde(default)]
    pub(crate) words: OwnerWords,
    /// The names and versions of signed contracts.
    contracts: BTreeMap<Digest, ContractLabel>,
    text_bytes: usize,
    /// The sessions whose agent waits for the next event.
    #[serde(skip)]
    waiting: BTreeSet<TaskId>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TaskEntry {
    seq: u64,
    state: TaskState,
    outcome: Option<TaskOutcome>,
    refusal: Option<RefusalCode>,
    contract: Option<Digest>,
    playbook: Option<Content>,
    /// The key of its session.
    session: Option<PublicKey>,
    /// The numbers of the session's calls.
    calls: BTreeSet<u16>,
    /// True for a dialogue.
    #[serde(default)]
    dialogue: bool,
    /// The number of further words of the owner.
    #[serde(default)]
    said: u16,
    granted: u32,
    asked: u32,
    refused: u32,
    submitted: Time,
    updated: Time,
    ended: Option<(u64, Time)>,
    open: BTreeMap<ActionId, Open>,
    /// The actions that wait for an approval.
    pending: BTreeSet<ActionId>,
    carried: BTreeSet<Digest>,
    /// Its approvers, besides the owner.
    approvers: BTreeSet<PublicKey>,
    lines: Vec<Line>,
    text_bytes: usize,
    complete: bool,
}

/// A granted action without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    claim_until: Time,
    wall_ms: u32,
    finish_until: Option<Time>,
    /// The executor that may claim it; nobody else can say what became of it.
    audience: AuthorId,
}

/// The knowledge about a task.
#[derive(Debug)]
pub(crate) enum Known<T> {
    /// It is kept.
    Kept(T),
    /// It was kept and then dropped.
    Dropped,
    /// It is unknown.
    Never,
}

impl Record {
    /// The deployment, once the first roster was folded.
    #[must_use]
    pub const fn deployment(&self) -> Option<DeploymentId> {
        self.deployment
    }

    /// Returns true if the owner has halted everything.
    #[must_use]
    pub const fn halted(&self) -> bool {
        self.halted
    }

    /// The owner with the devices that the record has of the owner.
    pub(crate) const fn signers(&self, owner: PublicKey) -> Signers<'_> {
        Signers {
            owner,
            devices: &self.devices,
        }
    }

    /// The devices of the owner.
    pub(crate) const fn devices(&self) -> &Devices {
        &self.devices
    }

    /// The stored time of the newest event.
    pub(crate) const fn now(&self) -> Time {
        self.now
    }

    /// The summaries of all kept tasks, newest first.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let kept = |task: &TaskId| Some(self.summary(*task, self.tasks.get(task)?));
        self.by_age.values().rev().filter_map(kept).collect()
    }

    fn summary(&self, task: TaskId, kept: &TaskEntry) -> Summary {
        let label = kept.contract.and_then(|digest| self.contracts.get(&digest));
        kept.summary(task, label.cloned(), self.now)
    }

    pub(crate) fn task(&self, task: TaskId) -> Known<(Summary, &[Line])> {
        match self.tasks.get(&task) {
            Some(kept) => Known::Kept((self.summary(task, kept), &kept.lines)),
            None if self.dropped.contains(&task) => Known::Dropped,
            None => Known::Never,
        }
    }

    /// Returns true if the answer to an action of `task` with this key was forwarded before.
    pub(crate) fn was_carried(&self, task: TaskId, answer: &Digest) -> bool {
        self.tasks
            .get(&task)
            .is_some_and(|kept| kept.carried.contains(answer))
    }

    /// Returns true if `key` is an approver of `task`, besides the owner.
    pub(crate) fn was_asked(&self, task: TaskId, key: &PublicKey) -> bool {
        let kept = self.tasks.get(&task);
        kept.is_some_and(|kept| kept.approvers.contains(key))
    }

    /// Returns true if an agent waits for the next event of its session.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Folds one fact; `line` is its shown form.
    pub(crate) fn take(&mut self, meta: &Meta, fact: &GatewayFact, line: Option<Line>) {
        self.now = self.now.max(meta.stored);
        match fact {
            GatewayFact::RosterChanged(_, roster) => self.deployment = Some(roster.deployment),
            GatewayFact::DeviceEndorsed(_, fact) => {
                let fact = DeviceEndorsed::clone(fact);
                self.devices.endorse(self.deployment, meta.stored, fact);
            }
            GatewayFact::DeviceRevoked(_, fact) => {
                self.devices.revoke(fact);
            }
            GatewayFact::HaltOrdered(..) => self.halted = true,
            GatewayFact::HaltLifted(..) => self.halted = false,
            GatewayFact::ContractSigned(_, signed) => self.label(signed),
            GatewayFact::TaskSubmitted(task, _) => self.open(*task, meta),
            // A run of a job is no submission.
            GatewayFact::TaskAdmitted(task, fact) if fact.job.is_some() => self.open(*task, meta),
            GatewayFact::TaskAdmitted(..)
            | GatewayFact::SessionCalled(..)
            | GatewayFact::TaskCancelled(..)
            | GatewayFact::TaskRejected(..)
            | GatewayFact::TaskFinished(..)
            | GatewayFact::ActionProposed(..)
            | GatewayFact::ActionGranted(..)
            | GatewayFact::ActionRefused(..)
            | GatewayFact::ApprovalRequested(..)
            | GatewayFact::ApprovalCarried(..)
            | GatewayFact::ApprovalRefused(..)
            | GatewayFact::ActionStarted(..)
            | GatewayFact::ActionFinished(..)
            | GatewayFact::ActionDeclined(..)
            | GatewayFact::SessionEnded(..)
            | GatewayFact::TaskSaid(..)
            | GatewayFact::ContractRequested(..)
            | GatewayFact::ContractAnswered(..)
            | GatewayFact::ActionExpired(..) => {}
        }
        // Only a submission or an admitted run adds a task, so events of other authors cannot displace tasks.
        let Some(kept) = meta.task.and_then(|task| self.tasks.get_mut(&task)) else {
            return;
        };
        kept.fold(meta, fact);
        let waits = kept.session.is_some() && kept.ended.is_none();
        match meta.task.zip(waits::after(fact)) {
            Some((task, true)) if waits => drop(self.waiting.insert(task)),
            Some((task, _)) => drop(self.waiting.remove(&task)),
            None => {}
        }
        self.text_bytes += kept.keep(line);
        self.bound();
    }

    fn label(&mut self, signed: &ContractSigned) {
        if self.contracts.len() < CONTRACTS_MAX || self.contracts.contains_key(&signed.contract) {
            let label = ContractLabel {
                name: signed.name.clone(),
                version: signed.version,
            };
            self.contracts.insert(signed.contract, label);
        }
    }

    fn open(&mut self, task: TaskId, meta: &Meta) {
        if self.tasks.contains_key(&task) || self.dropped.contains(&task) {
            return;
        }
        self.tasks.insert(task, TaskEntry::new(meta));
        self.by_age.insert(meta.seq, task);
    }

    fn bound(&mut self) {
        while self.tasks.len() > TASKS_MAX || self.text_bytes > TEXT_BYTES_MAX {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                return;
            };
            if let Some(kept) = self.tasks.remove(&oldest) {
                self.text_bytes = self.text_bytes.saturating_sub(kept.text_bytes);
            }
            self.waiting.remove(&oldest);
            self.dropped.insert(oldest);
            if self.dropped.len() > DROPPED_MAX {
                self.dropped.pop_first();
            }
        }
    }
}

impl TaskEntry {
    fn new(meta: &Meta) -> Self {
        Self {
            seq: meta.seq,
            state: TaskState::Submitted,
            outcome: None,
            refusal: None,
            contract: None,
            playbook: None,
            session: None,
            calls: BTreeSet::new(),
            dialogue: false,
            said: 0,
            granted: 0,
            asked: 0,
            refused: 0,
            submitted: meta.stored,
            updated: meta.stored,
            ended: None,
            open: BTreeMap::new(),
            pending: BTreeSet::new(),
            carried: BTreeSet::new(),
            approvers: BTreeSet::new(),
            lines: Vec::new(),
            text_bytes: 0,
            complete: true,
        }
    }

    fn summary(&self, task: TaskId, label: Option<ContractLabel>, now: Time) -> Summary {
        let unknown = |open: &&Open| open.finish_until.is_some_and(|until| until < now);
        let unknown = self.open.values().filter(unknown).count();
        Summary {
            task,
            seq: self.seq,
            state: self.state,
            outcome: self.outcome,
            refusal: self.refusal,
            contract: self.contract,
            label,
            playbook: self.playbook,
            pending: u32::try_from(self.pending.len()).unwrap_or(u32::MAX),
            granted: self.granted,
            asked: self.asked,
            refused: self.refused,
            unknown: u32::try_from(unknown).unwrap_or(u32::MAX),
            submitted: self.submitted,
            updated: self.updated,
            ended: self.ended.map(|(_, at)| at),
            complete: self.complete,
        }
    }

    fn fold(&mut self, meta: &Meta, fact: &GatewayFact) {
        self.updated = meta.stored;
        let running = matches!(self.state, TaskState::Admitted | TaskState::Running);
        match fact {
            GatewayFact::TaskAdmitted(_, admitted) => {
                if self.state == TaskState::Submitted {
                    self.state = TaskState::Admitted;
                    self.contract = Some(admitted.contract);
                    self.playbook = Some(admitted.playbook);
                    self.session = admitted.session;
                    self.dialogue = admitted.dialogue.is_some();
                }
            }
            GatewayFact::TaskRejected(_, rejected) => {
                if self.state == TaskState::Submitted {
                    self.state = TaskState::Rejected;
                    self.refusal = Some(rejected.code);
                    self.ended = Some((meta.seq, meta.stored));
                }
            }
            GatewayFact::TaskFinished(_, finished) => {
                if running {
                    self.state = TaskState::Finished;
                    self.outcome = Some(finished.outcome);
                    self.ended = Some((meta.seq, meta.stored));
                    self.pending.clear();
                }
            }
            GatewayFact::SessionCalled(_, called) => self.call(called),
            GatewayFact::TaskSaid(_, said) => self.hear(said),
            GatewayFact::ActionProposed(..) => {
                if running {
                    self.state = TaskState::Running;
                }
            }
            GatewayFact::ActionGranted(_, granted) => self.grant(meta, &granted.grant),
            GatewayFact::ActionRefused(_, refused) => {
                self.refused = self.refused.saturating_add(1);
                self.pending.remove(&refused.action);
            }
            GatewayFact::ApprovalRequested(_, requested) => self.ask(&requested.draft),
            GatewayFact::ApprovalCarried(_, carried) => {
                if self.carried.len() < EVENTS_MAX {
                    self.carried.insert(answer_key(carried));
                }
            }
            GatewayFact::ActionStarted(_, started) => self.start(meta, started.action),
            GatewayFact::ActionFinished(_, finished) => self.finish(meta, finished.action),
            GatewayFact::RosterChanged(..)
            | GatewayFact::DeviceEndorsed(..)
            | GatewayFact::DeviceRevoked(..)
            | GatewayFact::HaltOrdered(..)
            | GatewayFact::HaltLifted(..)
            | GatewayFact::ContractSigned(..)
            | GatewayFact::TaskSubmitted(..)
            | GatewayFact::TaskCancelled(..)
            | GatewayFact::ApprovalRefused(..)
            | GatewayFact::ActionDeclined(..)
            | GatewayFact::SessionEnded(..)
            | GatewayFact::ContractRequested(..)
            | GatewayFact::ContractAnswered(..)
            | GatewayFact::ActionExpired(..) => {}
        }
    }

    fn ask(&mut self, draft: &DraftGrant) {
        self.asked = self.asked.saturating_add(1);
        if self.pending.len() < EVENTS_MAX {
            self.pending.insert(draft.action);
        }
        if let Some(asked) = &draft.asked {
            let later = asked.escalation.iter().flat_map(|later| &later.approvers);
            let room = APPROVERS_MAX.saturating_sub(self.approvers.len());
            self.approvers
                .extend(asked.approvers.iter().chain(later).take(room));
        }
    }

    fn grant(&mut self, meta: &Meta, grant: &Grant) {
        self.granted = self.granted.saturating_add(1);
        self.pending.remove(&grant.draft.action);
        if self.open.len() >= EVENTS_MAX {
            self.complete = false;
            return;
        }
        let claim_until = grant.draft.claim_by(meta.stored);
        let open = Open {
            claim_until,
            wall_ms: grant.draft.wall_ms,
            finish_until: None,
            audience: grant.draft.audience,
        };
        self.open.entry(grant.draft.action).or_insert(open);
    }

    fn start(&mut self, meta: &Meta, action: ActionId) {
        if let Some(open) = self.open.get_mut(&action)
            && meta.by == open.audience
            && meta.stored <= open.claim_until
        {
            let finish_until = finish_by(meta.stored, u64::from(open.wall_ms));
            open.finish_until.get_or_insert(finish_until);
        }
    }

    /// Removes an action whose outcome came in time; after a late outcome it stays unknown.
    fn finish(&mut self, meta: &Meta, action: ActionId) {
        let counts = |open: &Open| {
            let in_time = open.finish_until.is_some_and(|until| meta.stored <= until);
            in_time && meta.by == open.audience
        };
        if self.open.get(&action).is_some_and(counts) {
            self.open.remove(&action);
        }
    }

    /// Keeps a line within the limits, and always the line that ends the task; returns its size.
    fn keep(&mut self, line: Option<Line>) -> usize {
        let Some(line) = line else {
            self.complete = false;
            return 0;
        };
        let bytes = line.text.as_str().len();
        let room = self.lines.len() < EVENTS_MAX && self.text_bytes + bytes <= TASK_TEXT_BYTES_MAX;
        let ends = self.ended.is_some_and(|(seq, _)| seq == line.seq);
        if !room && !ends {
            self.complete = false;
            return 0;
        }
        self.text_bytes += bytes;
        self.lines.push(line);
        bytes
    }
}

/// The key of a statement that answers the question of one action.
pub(crate) fn answer_key(carried: &ApprovalCarried) -> Digest {
    let action = carried.action.uuid();
    Digest::of(&[action.as_bytes(), &wire::encode(&carried.statement)])
}

//! Holds the projection of contracts, halts, grants and claims in the stream.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionGranted, ActionId, AuthorId, CatalogueSigned, ContractAnswered, ContractName,
    ContractSigned, DeploymentId, Devices, Digest, DraftGrant, Envelope, EventId, Jobs, Meta,
    PublicKey, RunDue, Secrets, Signed, Signers, Statement, TaskId, Time, ToolName,
};
use serde::{Deserialize, Serialize};

/// The time that a grant is kept after it lapsed, in case the server's clock goes back.
const LAPSED_KEPT_MS: u64 = 60_000;
/// The interval, in bus time, at which expired entries are removed.
const SWEEP_EVERY_MS: u64 = 3_600_000;

/// A projection of the stream.
///
/// Uses are counted for each task and tool. They are removed, with the actions of the task, once every
/// contract of the task's grants has expired: no later grant can be inside an expired envelope, so the
/// number of calls is never exceeded. Until then a grant costs its action's id, 16 bytes, and a task its
/// id and contract, 48 bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) halted: bool,
    /// The time of the last recorded halt or resume, by the owner's clock.
    pub(crate) decided: Time,
    /// The newest catalogue that the owner signed.
    pub(crate) catalogue: Option<CatalogueSigned>,
    /// The envelopes that the owner signed, by the digest of the contract.
    pub(crate) envelopes: BTreeMap<Digest, Envelope>,
    /// The name and version of each of them.
    versions: BTreeMap<Digest, (ContractName, u32)>,
    /// Contracts that the owner revoked or replaced by a newer version, and did not sign again since.
    pub(crate) revoked: BTreeSet<Digest>,
    /// Grants to this executor, neither claimed nor declined, by place in the stream.
    pub(crate) open: BTreeMap<u64, Granted>,
    /// The jobs that the owner signed.
    #[serde(default)]
    pub(crate) jobs: Jobs,
    /// The tasks that the owner signed, and the runs of jobs that the owner signed, each with its contract: policy alone
    /// cannot create one.
    signed: BTreeMap<TaskId, Digest>,
    /// The contracts under which the owner let signed tasks go on.
    #[serde(default)]
    moved: BTreeMap<TaskId, BTreeSet<Digest>>,
    /// The newest answered request of each task for another contract, with the contract that the answer let it go on under.
    #[serde(default)]
    answered: BTreeMap<TaskId, (u16, Option<Digest>)>,
    tasks: BTreeMap<TaskId, Uses>,
    /// The tasks that the owner signed and cancelled.
    pub(crate) cancelled: BTreeSet<TaskId>,
    /// The secrets on the record.
    #[serde(default)]
    pub(crate) secrets: Secrets,
    /// The devices on the record.
    #[serde(default)]
    pub(crate) devices: Devices,
    swept: Time,
}

/// The grants and uses of a task.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Uses {
    /// The time at which its last grant is removed.
    until: Time,
    /// The contracts of its grants.
    contracts: BTreeSet<Digest>,
    claims: BTreeMap<ToolName, u32>,
    /// Every action that was ever granted: a second grant of an action is ignored.
    actions: BTreeSet<ActionId>,
}

/// A grant as it is in the stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Granted {
    granted: ActionGranted,
    task: Option<TaskId>,
    id: EventId,
    seq: u64,
    stored: Time,
    /// True if its contract was revoked after it, even if signed again since.
    revoked: bool,
}

/// The halts, revocations and secrets that apply to claimed actions at this point of the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// True if everything is halted.
    pub halted: bool,
    /// Contracts under which no action may start.
    pub revoked: BTreeSet<Digest>,
    /// Tasks of which no action may start or go on.
    pub cancelled: BTreeSet<TaskId>,
    /// The secrets on the record.
    pub secrets: Secrets,
}

impl Gate {
    /// Returns true if running programs of `task` are killed.
    #[must_use]
    pub fn stops(&self, task: TaskId) -> bool {
        self.halted || self.cancelled.contains(&task)
    }
}

/// A claim that came in time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Started {
    /// Its grant.
    pub granted: Granted,
    /// The event.
    pub id: EventId,
    /// The time at which it was stored.
    pub stored: Time,
    /// The time from which every reader treats its outcome as unknown.
    pub until: Time,
    /// The earlier claims of the tool in the task.
    pub used: u32,
}

impl Started {
    /// The granted draft.
    #[must_use]
    pub const fn draft(&self) -> &DraftGrant {
        self.granted.draft()
    }
}

impl Granted {
    /// The draft.
    #[must_use]
    pub const fn draft(&self) -> &DraftGrant {
        &self.granted.grant.draft
    }

    /// The grant with its approvals.
    #[must_use]
    pub const fn granted(&self) -> &ActionGranted {
        &self.granted
    }

    /// Returns true if its contract was revoked after it.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// Returns the task whose chain contains it.
    pub(crate) const fn task(&self) -> Option<TaskId> {
        self.task
    }

    pub(crate) const fn id(&self) -> EventId {
        self.id
    }

    /// Returns its place in the stream.
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the last moment at which a claim can be stored.
    pub(crate) fn lapses(&self) -> Time {
        self.draft().claim_by(self.stored)
    }

    /// Returns the part of the event's `Meta` that a check of the grant reads.
    #[must_use]
    pub const fn meta(&self) -> Meta {
        Meta {
            by: AuthorId::Policy,
            task: self.task,
            id: self.id,
            cause: None,
            seq: self.seq,
            stored: self.stored,
            at: self.stored,
        }
    }
}

impl State {
    /// Returns the number of claims of the tool in the task.
    pub(crate) fn used(&self, draft: &DraftGrant) -> u32 {
        let uses = self.tasks.get(&draft.task);
        uses.and_then(|uses| uses.claims.get(&draft.tool))
            .copied()
            .unwrap_or(0)
    }

    /// Returns true if the owner signed this task under this contract.
    #[must_use]
    pub fn is_signed(&self, draft: &DraftGrant) -> bool {
        self.is_under(draft.task, &draft.contract)
    }

    fn is_under(&self, task: TaskId, contract: &Digest) -> bool {
        let moved = self.moved.get(&task);
        self.signed.get(&task) == Some(contract)
            || moved.is_some_and(|moved| moved.contains(contract))
    }

    /// Folds an answer of `owner` that lets a task go on under another contract: policy alone cannot move one. A later no
    /// takes a yes back, and an answer is not said twice.
    pub(crate) fn amend(&mut self, task: TaskId, fact: &ContractAnswered, owner: &PublicKey) {
        let Some(said) = fact.answer(owner, (self.deployment, task)) else {
            return;
        };
        let last = self.answered.get(&task).copied();
        let is_old = last.is_some_and(|(request, to)| match to {
            Some(_) => said.request < request,
            None => said.request <= request,
        });
        if is_old || !self.is_under(task, &said.from) {
            return;
        }
        let moved = self.moved.entry(task).or_default();
        if let Some((request, Some(to))) = last
            && request == said.request
        {
            moved.remove(&to);
        }
        moved.extend(said.to);
        self.answered.insert(task, (said.request, said.to));
    }

    /// Folds a submitted task, if `owner` signed it for this deployment. Only the first submission counts.
    pub(crate) fn submit(&mut self, task: TaskId, statement: &Signed, owner: &PublicKey) {
        let Ok(Statement::Task(said)) = statement.open(owner) else {
            return;
        };
        if said.task == task && Some(said.deployment) == self.deployment {
            self.signed.entry(task).or_insert(said.contract);
        }
    }

    /// Folds a run that is due: the owner signed its job, and so the contract that it is under.
    pub(crate) fn run_due(&mut self, due: &RunDue) {
        let job = self.jobs.running(&due.job, due.version);
        if let Some((deployment, job)) = self.deployment.zip(job) {
            let task = TaskId::of_run(deployment, &due.job, due.version, due.cause);
            self.signed.entry(task).or_insert(job.signed.contract);
        }
    }

    /// The deployment that the stream belongs to.
    #[must_use]
    pub const fn deployment(&self) -> Option<DeploymentId> {
        self.deployment
    }

    /// Returns true if the owner halted everything.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.halted
    }

    /// Returns true if the task was cancelled.
    #[must_use]
    pub fn is_cancelled(&self, task: TaskId) -> bool {
        self.cancelled.contains(&task)
    }

    /// The newest catalogue that the owner signed.
    #[must_use]
    pub const fn catalogue(&self) -> Option<&CatalogueSigned> {
        self.catalogue.as_ref()
    }

    /// Returns the owner with the devices that speak for the owner at this point of the stream.
    #[must_use]
    pub const fn signers(&self, owner: PublicKey) -> Signers<'_> {
        Signers {
            owner,
            devices: &self.devices,
        }
    }

    /// The secrets on the record.
    #[must_use]
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Returns the envelope that the owner signed, unless it was revoked since.
    #[must_use]
    pub fn envelope(&self, contract: &Digest) -> Option<&Envelope> {
        let envelope = self.envelopes.get(contract);
        envelope.filter(|_| !self.revoked.contains(contract))
    }

    /// Folds a halt or its end.
    pub(crate) fn halt(&mut self, meta: &Meta, halted: bool) {
        self.halted = halted;
        self.decided = self.decided.max(meta.at);
    }

    /// Folds the cancellation of a task.
    pub(crate) fn cancel(&mut self, task: TaskId) {
        if self.signed.contains_key(&task) {
            self.cancelled.insert(task);
        }
    }

    /// Folds a signed contract. It ends each lower version of its name at once, before any verdict of policy. A
    /// contract that is signed again is valid again.
    pub(crate) fn sign(&mut self, signed: ContractSigned) {
        let ContractSigned {
            contract,
            name,
            version,
            envelope,
            ..
        } = signed;
        let lower = self.versions.iter();
        let lower = lower.filter(|(_, (of, older))| *of == name && *older < version);
        let lower: Vec<_> = lower.map(|(contract, _)| *contract).collect();
        for contract in lower {
            self.revoke(contract);
        }
        self.revoked.remove(&contract);
        self.versions.insert(contract, (name, version));
        self.envelopes.insert(contract, envelope);
    }

    /// Folds the revocation of a contract.
    pub(crate) fn revoke(&mut self, contract: Digest) {
        self.revoked.insert(contract);
        for granted in self.open.values_mut() {
            granted.revoked |= granted.granted.grant.draft.contract == contract;
        }
    }

    /// Returns the grants to this executor that are neither claimed nor declined.
    pub fn grants(&self) -> impl Iterator<Item = &Granted> {
        self.open.values()
    }

    pub(crate) fn is_open(&self, action: ActionId) -> bool {
        self.open
            .values()
            .any(|granted| granted.draft().action == action)
    }

    /// Folds a grant, if it is for `me`.
    pub(crate) fn grant(&mut self, meta: &Meta, granted: ActionGranted, me: AuthorId) {
        self.sweep(meta.stored);
        let draft = &granted.grant.draft;
        if draft.audience != me {
            return;
        }
        let lapsed = meta
            .stored
            .plus_ms(u64::from(draft.ttl_ms) + LAPSED_KEPT_MS);
        let uses = self.tasks.entry(draft.task).or_default();
        uses.until = uses.until.max(lapsed);
        uses.contracts.insert(draft.contract);
        if !uses.actions.insert(draft.action) {
            return;
        }
        let granted = Granted {
            task: meta.task,
            id: meta.id,
            seq: meta.seq,
            stored: meta.stored,
            revoked: false,
            granted,
        };
        self.open.insert(meta.seq, granted);
    }

    /// Folds a claim; none if it was stored too late.
    pub(crate) fn start(&mut self, meta: &Meta, action: ActionId) -> Option<Started> {
        let granted = self.close(action)?;
        if meta.stored > granted.lapses() {
            return None;
        }
        let draft = granted.draft();
        let uses = self.tasks.entry(draft.task).or_default();
        let claims = uses.claims.entry(draft.tool.clone()).or_default();
        let used = *claims;
        *claims = claims.saturating_add(1);
        Some(Started {
            until: draft.finish_by(meta.stored),
            id: meta.id,
            stored: meta.stored,
            used,
            granted,
        })
    }

    /// Removes the action's grant from the open ones.
    pub(crate) fn close(&mut self, action: ActionId) -> Option<Granted> {
        let seq = self
            .open
            .iter()
            .find(|(_, granted)| granted.draft().action == action)
            .map(|(seq, _)| *seq)?;
        self.open.remove(&seq)
    }

    fn sweep(&mut self, now: Time) {
        self.open
            .retain(|_, granted| now <= granted.lapses().plus_ms(LAPSED_KEPT_MS));
        if now.ms_since(self.swept) >= SWEEP_EVERY_MS {
            self.swept = now;
            let envelopes = &self.envelopes;
            let runs =
                |contract: &Digest| envelopes.get(contract).is_some_and(|of| now < of.expires);
            // An answer may name a contract before the owner's signature of it is read.
            let unread = |contract: &Digest| !envelopes.contains_key(contract);
            for moved in self.moved.values_mut() {
                moved.retain(|contract| runs(contract) || unread(contract));
            }
            self.moved.retain(|_, moved| !moved.is_empty());
            let moved = &self.moved;
            self.signed
                .retain(|task, contract| runs(contract) || moved.contains_key(task));
            let signed = &self.signed;
            self.cancelled.retain(|task| signed.contains_key(task));
            self.answered.retain(|task, _| signed.contains_key(task));
            self.tasks
                .retain(|_, uses| now <= uses.until || uses.contracts.iter().any(runs));
        }
    }
}

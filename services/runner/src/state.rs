//! Remembers what the stream says of contracts, halts, grants and claims.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionGranted, ActionId, AuthorId, ContractName, ContractSigned, DeploymentId, Digest,
    DraftGrant, Envelope, EventId, Meta, OUTCOME_GRACE_MS, PublicKey, Signed, Statement, TaskId,
    Time, ToolName,
};
use serde::{Deserialize, Serialize};

/// How long a grant is remembered after it lapsed, should the server's clock go back.
const LAPSED_KEPT_MS: u64 = 60_000;
/// How often what is over is forgotten, in bus time.
const SWEEP_EVERY_MS: u64 = 3_600_000;

/// A fold of the stream.
///
/// Uses are counted for each task and tool and are forgotten, with the actions of the task, once every
/// contract under which the task had a grant has expired: no later grant can lie inside what the owner
/// signed then, so a number of calls is never exceeded. Until then a grant costs its action's id, 16 bytes,
/// and a task its id and contract, 48 bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) halted: bool,
    /// When the owner last ordered or lifted a halt on record, by the owner's clock.
    pub(crate) decided: Time,
    /// By the digest of the contract, in the owner's own words.
    pub(crate) envelopes: BTreeMap<Digest, Envelope>,
    /// The name and version of each of them.
    versions: BTreeMap<Digest, (ContractName, u32)>,
    /// Those that the owner revoked, or that a newer version took the place of, and did not sign again since.
    pub(crate) revoked: BTreeSet<Digest>,
    /// Granted to the runner, neither claimed nor declined; by place in the stream.
    pub(crate) open: BTreeMap<u64, Granted>,
    /// The tasks that the owner signed, each with its contract: policy alone cannot invent one.
    signed: BTreeMap<TaskId, Digest>,
    tasks: BTreeMap<TaskId, Uses>,
    swept: Time,
}

/// What a task did.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Uses {
    /// When its last grant is forgotten.
    until: Time,
    /// The contracts of its grants.
    contracts: BTreeSet<Digest>,
    claims: BTreeMap<ToolName, u32>,
    /// Every action that was ever granted: a second grant of one is no grant.
    actions: BTreeSet<ActionId>,
}

/// A grant as it stands in the stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Granted {
    granted: ActionGranted,
    task: Option<TaskId>,
    id: EventId,
    seq: u64,
    stored: Time,
    /// Whether its contract was revoked after it, whatever was signed since.
    revoked: bool,
}

/// What holds at this point of the stream for actions that are claimed already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// Everything is halted.
    pub halted: bool,
    /// Contracts under which nothing starts any more.
    pub revoked: BTreeSet<Digest>,
}

/// A claim that came in time.
#[derive(Debug)]
pub(crate) struct Started {
    /// What was granted.
    pub(crate) draft: DraftGrant,
    /// When every reader takes its outcome for unknown.
    pub(crate) until: Time,
}

impl Granted {
    pub(crate) const fn draft(&self) -> &DraftGrant {
        &self.granted.grant.draft
    }

    pub(crate) const fn granted(&self) -> &ActionGranted {
        &self.granted
    }

    /// Whether its contract was revoked since it was given.
    pub(crate) const fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// The task whose chain speaks about it.
    pub(crate) const fn task(&self) -> Option<TaskId> {
        self.task
    }

    pub(crate) const fn id(&self) -> EventId {
        self.id
    }

    /// Its place in the stream.
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    /// The last moment at which a claim can be stored.
    pub(crate) fn lapses(&self) -> Time {
        self.stored.plus_ms(u64::from(self.draft().ttl_ms))
    }

    /// The part of the event's `Meta` that a check of the grant looks at.
    pub(crate) const fn meta(&self) -> Meta {
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
    /// How often the tool was claimed in the task.
    pub(crate) fn used(&self, draft: &DraftGrant) -> u32 {
        let uses = self.tasks.get(&draft.task);
        uses.and_then(|uses| uses.claims.get(&draft.tool))
            .copied()
            .unwrap_or(0)
    }

    /// Whether the owner signed this task under this contract.
    pub(crate) fn is_signed(&self, draft: &DraftGrant) -> bool {
        self.signed.get(&draft.task) == Some(&draft.contract)
    }

    /// Takes in a task, if `owner` signed it for this deployment; the first word about it holds.
    pub(crate) fn submit(&mut self, task: TaskId, statement: &Signed, owner: &PublicKey) {
        let Ok(Statement::Task(said)) = statement.open(owner) else {
            return;
        };
        if said.task == task && Some(said.deployment) == self.deployment {
            self.signed.entry(task).or_insert(said.contract);
        }
    }

    /// Takes in what the owner signed. It ends each lower version of its name at once, whatever policy says of it;
    /// signed again, a contract holds again.
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

    /// Takes in that nothing more is to start under a contract.
    pub(crate) fn revoke(&mut self, contract: Digest) {
        self.revoked.insert(contract);
        for granted in self.open.values_mut() {
            granted.revoked |= granted.granted.grant.draft.contract == contract;
        }
    }

    pub(crate) fn is_open(&self, action: ActionId) -> bool {
        self.open
            .values()
            .any(|granted| granted.draft().action == action)
    }

    pub(crate) fn grant(&mut self, meta: &Meta, granted: ActionGranted) {
        self.sweep(meta.stored);
        let draft = &granted.grant.draft;
        if draft.audience != AuthorId::Runner {
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

    /// Takes in a claim; none if it came too late to count.
    pub(crate) fn start(&mut self, meta: &Meta, action: ActionId) -> Option<Started> {
        let granted = self.close(action)?;
        if meta.stored > granted.lapses() {
            return None;
        }
        let draft = granted.draft();
        let uses = self.tasks.entry(draft.task).or_default();
        let claims = uses.claims.entry(draft.tool.clone()).or_default();
        *claims = claims.saturating_add(1);
        let wall_ms = u64::from(draft.wall_ms) + u64::from(OUTCOME_GRACE_MS);
        Some(Started {
            until: meta.stored.plus_ms(wall_ms),
            draft: granted.granted.grant.draft,
        })
    }

    /// Takes the action's grant out of those that are open.
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
            self.signed.retain(|_, contract| runs(contract));
            self.tasks
                .retain(|_, uses| now <= uses.until || uses.contracts.iter().any(runs));
        }
    }
}

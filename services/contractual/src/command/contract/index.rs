//! Where each contract that was ever signed stands, by the recorded facts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bus_schema::{
    Content, ContractName, ContractSigned, Digest, Envelope, Meta, Pins, PolicyFact, TaskId, Time,
};
use serde::Serialize;

/// Where a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContractStatus {
    /// Signed; policy has said nothing yet.
    Offered,
    /// In force.
    Active,
    /// Found to have changed; nothing is granted until it is signed again.
    Suspended,
    /// A newer version is in force.
    Superseded,
    /// The owner revoked it.
    Revoked,
    /// Its time is over.
    Expired,
    /// Policy did not take it.
    Refused,
}

impl ContractStatus {
    const fn word(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

/// One contract that was signed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ContractEntry {
    /// Its name.
    pub(crate) name: ContractName,
    /// Its version.
    pub(crate) version: u32,
    /// SHA-256 of its document.
    pub(crate) contract: Digest,
    /// Where it stands.
    pub(crate) state: ContractStatus,
    /// When it was signed last, by the time of the bus.
    pub(crate) signed: Time,
    /// When it ends.
    pub(crate) expires: Time,
    /// How many tasks ran or run under it.
    pub(crate) tasks: usize,
    /// How many of them are not over.
    pub(crate) open: usize,
    /// Its text, as the owner put it there.
    #[serde(skip)]
    pub(crate) document: Content,
    /// By what it was read when the signature was made that is in force, or the last one if none is.
    pub(crate) pins: Pins,
    /// What that signature allows at most.
    #[serde(skip)]
    pub(crate) envelope: Envelope,
    /// What policy found to differ from that signature, if it is suspended.
    #[serde(skip)]
    pub(crate) found: Option<Content>,
    /// The same as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) differs: Option<String>,
    /// Signatures without a verdict, in the order of the stream.
    #[serde(skip)]
    waiting: VecDeque<(Pins, Envelope)>,
}

/// Every contract, by its digest.
#[derive(Debug, Default)]
pub(super) struct ContractIndex {
    contracts: BTreeMap<Digest, ContractEntry>,
    open: BTreeMap<TaskId, Digest>,
    tasks: BTreeSet<TaskId>,
}

impl ContractIndex {
    /// Where everything stands after these facts, at the time `now`.
    pub(super) fn of(facts: &[(Meta, PolicyFact)], now: Time) -> Self {
        let mut ledger = Self::default();
        for (meta, fact) in facts {
            ledger.fold(meta, fact);
        }
        for listed in ledger.contracts.values_mut() {
            if listed.is_in_force() && now >= listed.expires {
                listed.state = ContractStatus::Expired;
            }
        }
        for contract in ledger.open.values() {
            if let Some(listed) = ledger.contracts.get_mut(contract) {
                listed.open += 1;
            }
        }
        ledger
    }

    /// All of them: by name, newest version first.
    pub(super) fn listed(self) -> Vec<ContractEntry> {
        let mut all: Vec<_> = self.contracts.into_values().collect();
        all.sort_by(|a, b| {
            let age = |one: &ContractEntry| (one.version, one.signed);
            a.name.cmp(&b.name).then_with(|| age(b).cmp(&age(a)))
        });
        all
    }

    /// Those of a name that policy grants under, or may yet.
    pub(super) fn live(&self, name: &ContractName) -> impl Iterator<Item = &ContractEntry> {
        let live = |one: &&ContractEntry| one.is_in_force() || one.state == ContractStatus::Offered;
        let named = self.contracts.values().filter(move |one| one.name == *name);
        named.filter(live)
    }

    /// The version of a name that is in force.
    pub(super) fn in_force(&self, name: &ContractName) -> Option<&ContractEntry> {
        let mut each = self.contracts.values();
        each.find(|one| one.name == *name && one.is_in_force())
    }

    /// The contract of a digest.
    pub(super) fn get(&self, contract: &Digest) -> Option<&ContractEntry> {
        self.contracts.get(contract)
    }

    fn set(&mut self, contract: &Digest, state: ContractStatus) {
        if let Some(listed) = self.contracts.get_mut(contract) {
            listed.state = state;
        }
    }

    fn signed(&mut self, meta: &Meta, fact: &ContractSigned) {
        let before = self.contracts.remove(&fact.contract);
        let in_force = before.as_ref().filter(|one| one.is_in_force());
        let (pins, envelope) = in_force.map_or_else(
            || (fact.pins.clone(), fact.envelope.clone()),
            |one| (one.pins.clone(), one.envelope.clone()),
        );
        let mut listed = ContractEntry {
            name: fact.name.clone(),
            version: fact.version,
            contract: fact.contract,
            state: in_force.map_or(ContractStatus::Offered, |one| one.state),
            signed: meta.stored,
            expires: fact.envelope.expires,
            tasks: before.as_ref().map_or(0, |one| one.tasks),
            open: 0,
            document: fact.document,
            pins,
            envelope,
            found: in_force.and_then(|one| one.found),
            differs: None,
            waiting: before.map_or_else(VecDeque::new, |one| one.waiting),
        };
        let signature = (fact.pins.clone(), fact.envelope.clone());
        listed.waiting.push_back(signature);
        self.contracts.insert(fact.contract, listed);
    }

    fn fold(&mut self, meta: &Meta, fact: &PolicyFact) {
        match fact {
            PolicyFact::ContractSigned(_, fact) => {
                self.signed(meta, fact);
            }
            PolicyFact::ContractActivated(_, fact) => {
                if let Some(old) = fact.supersedes {
                    self.set(&old, ContractStatus::Superseded);
                }
                self.set(&fact.contract, ContractStatus::Active);
                if let Some(listed) = self.contracts.get_mut(&fact.contract)
                    && let Some((pins, envelope)) = listed.waiting.pop_front()
                {
                    (listed.pins, listed.envelope) = (pins, envelope);
                }
            }
            PolicyFact::ContractSuspended(_, fact) => {
                self.set(&fact.contract, ContractStatus::Suspended);
                if let Some(listed) = self.contracts.get_mut(&fact.contract) {
                    listed.found = fact.why;
                }
            }
            PolicyFact::ContractRejected(_, fact) => {
                if let Some(listed) = self.contracts.get_mut(&fact.contract) {
                    listed.waiting.pop_front();
                }
                let offered = |one: &mut ContractEntry| one.state == ContractStatus::Offered;
                if self.contracts.get_mut(&fact.contract).is_some_and(offered) {
                    self.set(&fact.contract, ContractStatus::Refused);
                }
            }
            PolicyFact::ContractRevoked(_, fact) => {
                self.set(&fact.contract, ContractStatus::Revoked)
            }
            PolicyFact::TaskAdmitted(task, fact) => {
                if self.tasks.insert(*task)
                    && let Some(listed) = self.contracts.get_mut(&fact.contract)
                {
                    listed.tasks += 1;
                    self.open.insert(*task, fact.contract);
                }
            }
            PolicyFact::TaskFinished(task, _) => {
                self.open.remove(task);
            }
            PolicyFact::RosterChanged(..)
            | PolicyFact::HaltOrdered(..)
            | PolicyFact::HaltLifted(..)
            | PolicyFact::TaskSubmitted(..)
            | PolicyFact::TaskRejected(..)
            | PolicyFact::ActionProposed(..)
            | PolicyFact::ActionGranted(..)
            | PolicyFact::ActionRefused(..)
            | PolicyFact::ApprovalRequested(..)
            | PolicyFact::ApprovalCarried(..)
            | PolicyFact::ApprovalRefused(..)
            | PolicyFact::ActionStarted(..)
            | PolicyFact::ActionFinished(..)
            | PolicyFact::ActionDeclined(..)
            | PolicyFact::ActionExpired(..) => {}
        }
    }
}

impl ContractEntry {
    /// Whether it is the version of its name that counts.
    pub(super) const fn is_in_force(&self) -> bool {
        matches!(
            self.state,
            ContractStatus::Active | ContractStatus::Suspended
        )
    }

    /// In one line, and what differs from what was signed on lines of its own.
    pub(crate) fn text(&self) -> String {
        let Self {
            name,
            version,
            state,
            expires,
            tasks,
            open,
            ..
        } = self;
        let running = if *open > 0 {
            format!(", {open} running")
        } else {
            String::new()
        };
        let tasks = match tasks {
            1 => "1 task".to_owned(),
            tasks => format!("{tasks} tasks"),
        };
        let mut text = format!(
            "{:<24} version {version:<4} {:<10} until {expires}  {tasks}{running}",
            name.as_str(),
            state.word()
        );
        for line in self.differs.iter().flat_map(|differs| differs.lines()) {
            text.push_str("\n    ");
            text.push_str(line);
        }
        text
    }
}

//! Indexes every signed contract with its status, from the recorded facts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bus_schema::{
    Content, ContractFact, ContractName, ContractSigned, Digest, Envelope, Meta, Pins, TaskId, Time,
};
use serde::Serialize;

/// The status of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContractStatus {
    /// Signed; policy has not decided yet.
    Offered,
    /// In force.
    Active,
    /// Changed since signing; nothing is granted until it is signed again.
    Suspended,
    /// A newer version is in force.
    Superseded,
    /// The owner revoked it.
    Revoked,
    /// It has expired.
    Expired,
    /// Policy refused it.
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

/// A signed contract.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ContractEntry {
    /// Its name.
    pub(crate) name: ContractName,
    /// Its version.
    pub(crate) version: u32,
    /// SHA-256 of its document.
    pub(crate) contract: Digest,
    /// Its status.
    pub(crate) state: ContractStatus,
    /// The time of its last signature, in bus time.
    pub(crate) signed: Time,
    /// The time at which it expires.
    pub(crate) expires: Time,
    /// The number of its tasks.
    pub(crate) tasks: usize,
    /// The number of its tasks that have not ended.
    pub(crate) open: usize,
    /// Its text, as the owner stored it.
    #[serde(skip)]
    pub(crate) document: Content,
    /// The pins of the signature in force, or of the last one if none is in force.
    pub(crate) pins: Pins,
    /// The envelope of that signature: the most that it allows.
    #[serde(skip)]
    pub(crate) envelope: Envelope,
    /// The differences from that signature that policy found, if it is suspended.
    #[serde(skip)]
    pub(crate) found: Option<Content>,
    /// The differences as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) differs: Option<String>,
    /// Signatures without a verdict, in stream order.
    #[serde(skip)]
    waiting: VecDeque<(Pins, Envelope)>,
}

/// All contracts by digest.
#[derive(Debug, Default)]
pub(super) struct ContractIndex {
    contracts: BTreeMap<Digest, ContractEntry>,
    open: BTreeMap<TaskId, Digest>,
    tasks: BTreeSet<TaskId>,
}

impl ContractIndex {
    /// Builds the index from these facts, with the status at the time `now`.
    pub(super) fn of(facts: &[(Meta, ContractFact)], now: Time) -> Self {
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

    /// Returns all contracts by name, newest version first.
    pub(super) fn listed(self) -> Vec<ContractEntry> {
        let mut all: Vec<_> = self.contracts.into_values().collect();
        all.sort_by(|a, b| {
            let age = |one: &ContractEntry| (one.version, one.signed);
            a.name.cmp(&b.name).then_with(|| age(b).cmp(&age(a)))
        });
        all
    }

    /// The versions of a name that are in force or may still come into force.
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

    fn fold(&mut self, meta: &Meta, fact: &ContractFact) {
        match fact {
            // Policy says which contracts it suspends.
            ContractFact::CatalogueSigned(..) => {}
            ContractFact::ContractSigned(_, fact) => {
                self.signed(meta, fact);
            }
            ContractFact::ContractActivated(_, fact) => {
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
            ContractFact::ContractSuspended(_, fact) => {
                self.set(&fact.contract, ContractStatus::Suspended);
                if let Some(listed) = self.contracts.get_mut(&fact.contract) {
                    listed.found = fact.why;
                }
            }
            ContractFact::ContractRejected(_, fact) => {
                if let Some(listed) = self.contracts.get_mut(&fact.contract) {
                    listed.waiting.pop_front();
                }
                let offered = |one: &mut ContractEntry| one.state == ContractStatus::Offered;
                if self.contracts.get_mut(&fact.contract).is_some_and(offered) {
                    self.set(&fact.contract, ContractStatus::Refused);
                }
            }
            ContractFact::ContractRevoked(_, fact) => {
                self.set(&fact.contract, ContractStatus::Revoked)
            }
            ContractFact::TaskAdmitted(task, fact) => {
                if self.tasks.insert(*task)
                    && let Some(listed) = self.contracts.get_mut(&fact.contract)
                {
                    listed.tasks += 1;
                    self.open.insert(*task, fact.contract);
                }
            }
            ContractFact::TaskFinished(task, _) => {
                self.open.remove(task);
            }
        }
    }
}

impl ContractEntry {
    /// Returns true if it is the version in force.
    pub(super) const fn is_in_force(&self) -> bool {
        matches!(
            self.state,
            ContractStatus::Active | ContractStatus::Suspended
        )
    }

    /// Returns it on one line, and the differences from the signature on lines of their own.
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

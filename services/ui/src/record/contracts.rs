//! The signed contracts with their states.

use std::collections::BTreeMap;

use bus_schema::{
    Content, ContractActivated, ContractName, ContractRejected, ContractSigned, Digest, Meta,
    RefusalCode, Time,
};
use serde::{Deserialize, Serialize};

/// Most contracts; later ones are not shown.
const CONTRACTS_MAX: usize = 5_000;

/// The signed contracts by digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contracts(BTreeMap<Digest, ContractRecord>);

/// A signed contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContractRecord {
    pub(crate) digest: Digest,
    pub(crate) name: ContractName,
    pub(crate) version: u32,
    pub(crate) document: Content,
    pub(crate) signed: Time,
    pub(crate) expires: Time,
    pub(crate) stage: ContractStage,
    /// The time of its stage.
    pub(crate) since: Time,
    pub(crate) tasks: u32,
}

/// The state of a contract by the record alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ContractStage {
    /// Policy has not answered.
    Offered,
    /// It is in force.
    Active,
    /// It changed since the owner signed it.
    Suspended(Option<Content>),
    /// Another version replaced it.
    Replaced,
    /// The owner revoked it.
    Revoked,
    /// Policy rejected it.
    Rejected(RefusalCode, Option<Content>),
}

impl ContractRecord {
    /// Returns true if nothing is granted under it at `now` any more because its time is over.
    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.is_in_force() && now >= self.expires
    }

    /// Returns true if it is the version of its name that counts.
    pub(crate) const fn is_in_force(&self) -> bool {
        matches!(
            self.stage,
            ContractStage::Active | ContractStage::Suspended(_)
        )
    }
}

impl Contracts {
    /// Returns the contract of a digest.
    pub(crate) fn get(&self, contract: &Digest) -> Option<&ContractRecord> {
        self.0.get(contract)
    }

    /// Returns all versions of a name, the one in force first, then the newest.
    pub(crate) fn named(&self, name: &str) -> Vec<&ContractRecord> {
        let mut found: Vec<_> = self
            .0
            .values()
            .filter(|one| one.name.as_str() == name)
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse((one.is_in_force(), one.version, one.signed)));
        found
    }

    /// Returns the first version of each name, by name.
    pub(crate) fn newest(&self) -> Vec<&ContractRecord> {
        let mut names: BTreeMap<&str, &ContractRecord> = BTreeMap::new();
        let rank = |one: &ContractRecord| (one.is_in_force(), one.version, one.signed);
        for one in self.0.values() {
            let kept = names.entry(one.name.as_str()).or_insert(one);
            if rank(one) > rank(kept) {
                *kept = one;
            }
        }
        names.into_values().collect()
    }

    pub(super) fn sign(&mut self, meta: &Meta, fact: &ContractSigned) {
        if let Some(known) = self.0.get_mut(&fact.contract) {
            known.expires = fact.envelope.expires;
            known.signed = meta.stored;
            if !known.is_in_force() {
                known.stage = ContractStage::Offered;
                known.since = meta.stored;
            }
            return;
        }
        if self.0.len() < CONTRACTS_MAX {
            let one = ContractRecord {
                digest: fact.contract,
                name: fact.name.clone(),
                version: fact.version,
                document: fact.document,
                signed: meta.stored,
                expires: fact.envelope.expires,
                stage: ContractStage::Offered,
                since: meta.stored,
                tasks: 0,
            };
            self.0.insert(fact.contract, one);
        }
    }

    pub(super) fn activate(&mut self, meta: &Meta, fact: &ContractActivated) {
        if let Some(before) = fact.supersedes.filter(|before| *before != fact.contract) {
            self.set(meta, &before, ContractStage::Replaced);
        }
        let is_open =
            |one: &ContractRecord| one.is_in_force() || one.stage == ContractStage::Offered;
        if self.0.get(&fact.contract).is_some_and(is_open) {
            self.set(meta, &fact.contract, ContractStage::Active);
        }
    }

    pub(super) fn suspend(&mut self, meta: &Meta, contract: &Digest, why: Option<Content>) {
        if self
            .0
            .get(contract)
            .is_some_and(ContractRecord::is_in_force)
        {
            self.set(meta, contract, ContractStage::Suspended(why));
        }
    }

    pub(super) fn revoke(&mut self, meta: &Meta, contract: &Digest) {
        self.set(meta, contract, ContractStage::Revoked);
    }

    pub(super) fn reject(&mut self, meta: &Meta, fact: &ContractRejected) {
        let offered = |one: &ContractRecord| one.stage == ContractStage::Offered;
        if self.0.get(&fact.contract).is_some_and(offered) {
            let stage = ContractStage::Rejected(fact.code, fact.why);
            self.set(meta, &fact.contract, stage);
        }
    }

    pub(super) fn count(&mut self, contract: &Digest) {
        if let Some(one) = self.0.get_mut(contract) {
            one.tasks = one.tasks.saturating_add(1);
        }
    }

    fn set(&mut self, meta: &Meta, contract: &Digest, stage: ContractStage) {
        if let Some(one) = self.0.get_mut(contract) {
            one.stage = stage;
            one.since = meta.stored;
        }
    }
}

//! Holds the projection of what egress acts by, its open claims, and what was released for each.

use std::collections::BTreeMap;

use bus_schema::{
    ActionId, AuthorId, DraftGrant, EventId, ExecutorFact, Meta, PublicKey, SecretName, TaskId,
    Time,
};
use executor::{Folded, Started};
use serde::{Deserialize, Serialize};

/// The time that a claim is kept after its end, in case the server's clock goes back, and that its secret is renewed. Egress exchanges
/// a token in less.
const ENDED_KEPT_MS: u64 = 60_000;

/// A projection of the stream.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The projection of egress, folded as egress folds it.
    pub(crate) acts: executor::State,
    /// The claims of egress without an outcome, by action.
    claims: BTreeMap<ActionId, ClaimOnRecord>,
    /// The releases for claims that have an outcome: the exchange of a token goes on after the end of its call.
    #[serde(default)]
    ended: BTreeMap<ActionId, ReleaseOnRecord>,
}

/// A claim of egress.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClaimOnRecord {
    pub(crate) started: Started,
    /// The secret that was released for it, and its version.
    pub(crate) released: Option<(SecretName, u32)>,
}

/// The release for a claim.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReleaseOnRecord {
    pub(crate) task: TaskId,
    /// The event of the claim.
    pub(crate) claim: EventId,
    /// The secret, and its version; none if nothing was released.
    pub(crate) released: Option<(SecretName, u32)>,
    kept_until: Time,
}

impl ClaimOnRecord {
    fn release(&self, kept_until: Time) -> ReleaseOnRecord {
        ReleaseOnRecord {
            task: self.started.draft().task,
            claim: self.started.id,
            released: self.released.clone(),
            kept_until,
        }
    }
}

impl State {
    /// Returns what was released for a claim, also for a short time after its outcome.
    pub(crate) fn release(&self, action: ActionId) -> Option<ReleaseOnRecord> {
        let open = self.claims.get(&action);
        let open = open.map(|claim| claim.release(claim.started.until));
        open.or_else(|| self.ended.get(&action).cloned())
    }

    /// Returns true if egress will ask soon: a grant with a secret is not claimed yet, or its claim has no release.
    pub(crate) fn awaits_secret(&self) -> bool {
        let needs = |draft: &DraftGrant| !draft.secrets.is_empty();
        let mut claims = self.claims.values();
        self.acts.grants().any(|granted| needs(granted.draft()))
            || claims.any(|claim| claim.released.is_none() && needs(claim.started.draft()))
    }

    /// Returns the claim of an action without an outcome.
    pub(crate) fn claim(&self, action: ActionId) -> Option<&ClaimOnRecord> {
        self.claims.get(&action)
    }

    /// Folds a fact.
    pub(crate) fn fold(&mut self, meta: &Meta, fact: ExecutorFact, owner: &PublicKey) {
        match self.acts.fold(meta, fact, owner, AuthorId::Egress) {
            Folded::Nothing | Folded::Gate | Folded::Declined(_) => {}
            Folded::Granted => self.sweep(meta.stored),
            Folded::Started(action, started) => {
                if let Some(started) = started {
                    let claim = ClaimOnRecord {
                        started: *started,
                        released: None,
                    };
                    self.claims.insert(action, claim);
                }
            }
            Folded::Finished(action) => {
                let claim = self.claims.remove(&action);
                if let Some(claim) = claim.filter(|claim| claim.released.is_some()) {
                    let kept_until = meta.stored.plus_ms(ENDED_KEPT_MS);
                    self.ended.insert(action, claim.release(kept_until));
                }
            }
            Folded::Released(fact) => {
                if let Some(claim) = self.claims.get_mut(&fact.action) {
                    // Only the first release counts; the broker's own chain holds no second one.
                    claim.released.get_or_insert((fact.name, fact.version));
                }
            }
        }
    }

    fn sweep(&mut self, now: Time) {
        self.claims
            .retain(|_, claim| now <= claim.started.until.plus_ms(ENDED_KEPT_MS));
        self.ended.retain(|_, release| now <= release.kept_until);
    }
}

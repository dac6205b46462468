//! Holds the projection of what egress acts by, its open claims, and what was released for each.

use std::collections::BTreeMap;

use bus_schema::{ActionId, AuthorId, ExecutorFact, Meta, PublicKey, SecretName, Time};
use executor::{Folded, Started};
use serde::{Deserialize, Serialize};

/// The time that a claim is kept after its end, in case the server's clock goes back.
const ENDED_KEPT_MS: u64 = 60_000;

/// A projection of the stream.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The projection of egress, folded as egress folds it.
    pub(crate) acts: executor::State,
    /// The claims of egress without an outcome, by action.
    claims: BTreeMap<ActionId, ClaimOnRecord>,
}

/// A claim of egress.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClaimOnRecord {
    pub(crate) started: Started,
    /// The secret that was released for it, and its version.
    pub(crate) released: Option<(SecretName, u32)>,
}

impl State {
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
            Folded::Finished(action) => drop(self.claims.remove(&action)),
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
    }
}

//! Follows one task from grant to outcome: what it has reserved, used and done.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionFinished, ActionId, ActionOutcome, ActionStarted, Content, ContractName, Digest,
    DraftGrant, Meta, OUTCOME_GRACE_MS, Time,
};

use super::{Came, Deed, Deeds, Reservation, Stage, Task};
use crate::budget::{Reserve, Shared, Spent, Used};

impl Reservation {
    pub(super) fn of(draft: &DraftGrant, meta: &Meta) -> Self {
        Self {
            rule: draft.rule.clone(),
            tool: draft.tool.clone(),
            args: draft.args,
            args_by: draft.args_by,
            reserve: Reserve {
                wall_ms: u64::from(draft.wall_ms),
                output_bytes: u64::from(draft.output_bytes_max),
                counts: draft.counts.clone(),
            },
            granted_ms: meta.stored.ns().div_euclid(1_000_000),
        }
    }
}

impl Task {
    pub(super) fn under(contract: Digest, name: ContractName, playbook: Content) -> Self {
        Self {
            contract,
            name,
            playbook,
            used: Used::default(),
            deeds: BTreeMap::new(),
            actions: BTreeMap::new(),
            unclaimed: BTreeSet::new(),
            strays: 0,
        }
    }

    /// Releases what can no longer be claimed: a later message proves that every claim in time was read before.
    pub(super) fn release_lapsed(&mut self, now: Time, shared: &mut Shared) {
        while let Some((claim_by, action)) = self.unclaimed.first().copied() {
            if claim_by >= now {
                return;
            }
            self.release(action, shared);
        }
    }

    pub(super) fn release(&mut self, action: ActionId, shared: &mut Shared) {
        let Some(of) = self.actions.get_mut(&action) else {
            return;
        };
        if let Stage::Granted {
            reservation,
            claim_by,
        } = &of.stage
        {
            let Reservation { rule, reserve, .. } = &**reservation;
            self.used.release(rule, reserve);
            shared.release(reservation.granted_ms, rule, reserve);
            self.unclaimed.remove(&(*claim_by, action));
            of.stage = Stage::Over;
        }
    }

    pub(super) fn started(&mut self, meta: &Meta, fact: &ActionStarted) {
        let Some(of) = self.actions.get_mut(&fact.action) else {
            return;
        };
        if let Stage::Granted {
            reservation,
            claim_by,
        } = &of.stage
        {
            self.unclaimed.remove(&(*claim_by, fact.action));
            let deeds = self.deeds.entry(reservation.tool.clone()).or_default();
            let place = deeds.each.len();
            deeds.each.push(Deed {
                action: fact.action,
                args: reservation.args,
                args_by: reservation.args_by,
                came: Came::Unknown,
            });
            let wall_ms = reservation.reserve.wall_ms;
            let finish_by = meta.stored.plus_ms(wall_ms + u64::from(OUTCOME_GRACE_MS));
            of.stage = Stage::Started {
                reservation: reservation.clone(),
                finish_by,
                place,
            };
        }
    }

    /// What is unknown may have used all that was reserved, and a late outcome changes nothing.
    pub(super) fn finished(&mut self, meta: &Meta, fact: &ActionFinished, shared: &mut Shared) {
        let Some(of) = self.actions.get_mut(&fact.action) else {
            return;
        };
        if let Stage::Started {
            reservation,
            finish_by,
            place,
        } = &of.stage
        {
            if meta.stored <= *finish_by {
                let reserve = &reservation.reserve;
                let spent = Spent {
                    wall_ms: u64::from(fact.usage.wall_ms),
                    output_bytes: u64::from(fact.usage.output_bytes),
                    tokens: reserve.counts.tokens,
                };
                self.used.settle(reserve, spent);
                shared.settle(reservation.granted_ms, reserve, spent);
                if let Some(deeds) = self.deeds.get_mut(&reservation.tool) {
                    deeds.settle(*place, fact);
                }
            }
            of.stage = Stage::Over;
        }
    }
}

impl Deeds {
    fn settle(&mut self, place: usize, fact: &ActionFinished) {
        let Some(deed) = self.each.get_mut(place) else {
            return;
        };
        deed.came = match fact.outcome {
            ActionOutcome::Succeeded => Came::Succeeded(fact.output),
            ActionOutcome::Failed | ActionOutcome::TimedOut | ActionOutcome::Killed => Came::Failed,
        };
        if fact.outcome == ActionOutcome::Succeeded {
            self.succeeded = self.succeeded.saturating_add(1);
        }
    }
}

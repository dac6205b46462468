//! Follows one task from grant to outcome: its reservations, usage and calls.

use std::collections::BTreeMap;

use bus_schema::{
    ActionFinished, ActionId, ActionOutcome, ActionStarted, AuthorId, ContractName, DraftGrant,
    JobName, Meta, Time, ToolName, lifecycle::finish_by,
};
use contract::{Allowance, ContractTotals, Spent, Totals, Under};

use super::{
    CallOutcome, CountedCall, Reservation, Stage, StartedCall, Submitted, Task, ToolCalls,
};

impl Reservation {
    pub(super) fn of(draft: &DraftGrant, meta: &Meta) -> Self {
        Self {
            rule: draft.rule.clone(),
            tool: draft.tool.clone(),
            digest: draft.tool_digest,
            args: draft.args,
            args_by: draft.args_by,
            determined: draft.determined,
            audience: draft.audience,
            reserve: Allowance {
                wall_ms: u64::from(draft.wall_ms),
                output_bytes: u64::from(draft.output_bytes_max),
                counts: draft.counts.clone(),
            },
            granted_ms: meta.stored.ns().div_euclid(1_000_000),
        }
    }

    pub(super) fn under(&self) -> Under<'_> {
        Under {
            rule: &self.rule,
            tool: self.tool.as_str(),
        }
    }
}

impl Task {
    pub(super) fn under(name: ContractName, said: Submitted, job: Option<JobName>) -> Self {
        let Submitted {
            contract,
            playbook,
            slots,
            session,
            dialogue,
            of_message,
        } = said;
        let of_engine = session.is_some() || dialogue.is_some();
        Self {
            contract,
            name,
            playbook,
            slots,
            of_message,
            job,
            proposer: if of_engine {
                AuthorId::Engine
            } else {
                AuthorId::Worker
            },
            used: Totals::default(),
            calls: BTreeMap::new(),
            actions: BTreeMap::new(),
            invalid_approvals: 0,
            cancelled: None,
            said: Vec::new(),
            moves_to: None,
            answers_from: 0,
        }
    }

    /// Returns true if a grant may still be claimed at `now`, or an outcome may still count.
    pub(super) fn may_change(&self, now: Time) -> bool {
        self.actions.values().any(|action| match &action.stage {
            Stage::Granted { claim_by, .. } => now <= *claim_by,
            Stage::Started { finish_by, .. } => now <= *finish_by,
            Stage::Proposed(_) | Stage::Asked(_) | Stage::Over => false,
        })
    }

    /// Drops everything that [`Task::may_change`] does not read.
    pub(super) fn end(&mut self) {
        self.calls.clear();
        self.actions.retain(|_, action| match action.stage {
            Stage::Granted { .. } | Stage::Started { .. } => true,
            Stage::Proposed(_) | Stage::Asked(_) | Stage::Over => false,
        });
    }

    /// The granted calls that count under rules: the started ones, and those that may still be claimed.
    pub(crate) fn counted(&self) -> impl Iterator<Item = CountedCall<'_>> {
        let started = self.calls.iter();
        let started = started.flat_map(|(tool, calls)| calls.each.iter().map(|call| call.of(tool)));
        let granted = self
            .actions
            .iter()
            .filter_map(|(action, of)| match &of.stage {
                Stage::Granted { reservation, .. } => Some(CountedCall {
                    action: *action,
                    rule: &reservation.rule,
                    tool: &reservation.tool,
                    digest: reservation.digest,
                    args: reservation.args,
                    args_by: reservation.args_by,
                }),
                Stage::Proposed(_) | Stage::Asked(_) | Stage::Started { .. } | Stage::Over => None,
            });
        started.chain(granted)
    }

    /// Folds a refusal of the executor `by`.
    pub(super) fn declined(&mut self, by: AuthorId, action: ActionId, shared: &mut ContractTotals) {
        let stage = self.actions.get(&action).map(|of| &of.stage);
        if let Some(Stage::Granted { reservation, .. }) = stage
            && reservation.audience == by
        {
            self.release(action, shared);
        }
    }

    pub(super) fn release(&mut self, action: ActionId, shared: &mut ContractTotals) {
        let Some(of) = self.actions.get_mut(&action) else {
            return;
        };
        if let Stage::Granted { reservation, .. } = &of.stage {
            let (under, reserve) = (reservation.under(), &reservation.reserve);
            self.used.release(under, reserve);
            shared.release(reservation.granted_ms, under, reserve);
            of.stage = Stage::Over;
        }
    }

    pub(super) fn started(&mut self, meta: &Meta, fact: &ActionStarted) {
        let Some(of) = self.actions.get_mut(&fact.action) else {
            return;
        };
        if let Stage::Granted { reservation, .. } = &of.stage
            && reservation.audience == meta.by
        {
            let calls = self.calls.entry(reservation.tool.clone()).or_default();
            let place = calls.each.len();
            calls.digests.insert(reservation.digest);
            calls.each.push(StartedCall {
                action: fact.action,
                rule: reservation.rule.clone(),
                digest: reservation.digest,
                args: reservation.args,
                args_by: reservation.args_by,
                determined: reservation.determined,
                executor: reservation.audience,
                outcome: CallOutcome::Unknown,
            });
            let wall_ms = reservation.reserve.wall_ms;
            let finish_by = finish_by(meta.stored, wall_ms);
            of.stage = Stage::Started {
                reservation: reservation.clone(),
                finish_by,
                place,
            };
        }
    }

    /// Settles a call. An unknown outcome may have used everything reserved, and a late outcome changes nothing.
    pub(super) fn finished(
        &mut self,
        meta: &Meta,
        fact: &ActionFinished,
        shared: &mut ContractTotals,
    ) {
        let Some(of) = self.actions.get_mut(&fact.action) else {
            return;
        };
        if let Stage::Started {
            reservation,
            finish_by,
            place,
        } = &of.stage
            && reservation.audience == meta.by
        {
            if meta.stored <= *finish_by {
                let (under, reserve) = (reservation.under(), &reservation.reserve);
                let usage = &fact.usage;
                let spent = Spent {
                    wall_ms: u64::from(usage.wall_ms),
                    output_bytes: u64::from(usage.output_bytes),
                    tokens: usage.tokens,
                    bytes_out: usage.bytes_out,
                    spend: usage.spend,
                };
                self.used.settle(under, reserve, &spent);
                shared.settle(reservation.granted_ms, under, reserve, &spent);
                if let Some(calls) = self.calls.get_mut(&reservation.tool) {
                    calls.settle(*place, fact);
                }
            }
            of.stage = Stage::Over;
        }
    }
}

impl StartedCall {
    /// The same call of this tool, with its arguments alone.
    pub(crate) const fn of<'t>(&'t self, tool: &'t ToolName) -> CountedCall<'t> {
        CountedCall {
            action: self.action,
            rule: &self.rule,
            tool,
            digest: self.digest,
            args: self.args,
            args_by: self.args_by,
        }
    }
}

impl ToolCalls {
    fn settle(&mut self, place: usize, fact: &ActionFinished) {
        let Some(call) = self.each.get_mut(place) else {
            return;
        };
        call.outcome = match fact.outcome {
            ActionOutcome::Succeeded => CallOutcome::Succeeded(fact.output),
            ActionOutcome::Failed | ActionOutcome::TimedOut | ActionOutcome::Killed => {
                CallOutcome::Failed
            }
        };
        if fact.outcome == ActionOutcome::Succeeded {
            self.succeeded = self.succeeded.saturating_add(1);
        }
    }
}

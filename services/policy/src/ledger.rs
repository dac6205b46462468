//! Keeps what one task has used and reserved of its contract's limits.

use std::collections::BTreeMap;

use bus_schema::{DraftGrant, RuleId, Usage};
use serde::{Deserialize, Serialize};

use crate::budget::{Used, UsedByRule};
use crate::record::Record;

/// The sum over a task's grants: what each reserves, until its outcome says what it used. What lapsed or was
/// declined is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    calls: u64,
    calls_by_rule: BTreeMap<RuleId, u64>,
    wall_ms: u64,
    output_bytes: u64,
}

/// What one grant takes from the limits, until it is settled or released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    rule: RuleId,
    wall_ms: u32,
    output_bytes: u32,
}

impl Reservation {
    pub(crate) fn of(draft: &DraftGrant) -> Self {
        Self {
            rule: draft.rule.clone(),
            wall_ms: draft.wall_ms,
            output_bytes: draft.output_bytes_max,
        }
    }

    /// The longest run it was made for.
    pub(crate) const fn wall_ms(&self) -> u32 {
        self.wall_ms
    }
}

impl Ledger {
    /// Counts a grant.
    pub(crate) fn reserve(&mut self, one: &Reservation) {
        self.calls = self.calls.saturating_add(1);
        let by_rule = self.calls_by_rule.entry(one.rule.clone()).or_default();
        *by_rule = by_rule.saturating_add(1);
        self.wall_ms = self.wall_ms.saturating_add(u64::from(one.wall_ms));
        self.output_bytes = self
            .output_bytes
            .saturating_add(u64::from(one.output_bytes));
    }

    /// Puts what was used in the place of what was reserved; the call stays counted.
    pub(crate) fn settle(&mut self, one: &Reservation, used: Usage) {
        self.give_back(one);
        self.wall_ms = self.wall_ms.saturating_add(u64::from(used.wall_ms));
        self.output_bytes = self
            .output_bytes
            .saturating_add(u64::from(used.output_bytes));
    }

    /// Forgets a grant that was never acted on.
    pub(crate) fn release(&mut self, one: &Reservation) {
        self.give_back(one);
        self.calls = self.calls.saturating_sub(1);
        if let Some(by_rule) = self.calls_by_rule.get_mut(&one.rule) {
            *by_rule = by_rule.saturating_sub(1);
        }
    }

    fn give_back(&mut self, one: &Reservation) {
        self.wall_ms = self.wall_ms.saturating_sub(u64::from(one.wall_ms));
        self.output_bytes = self
            .output_bytes
            .saturating_sub(u64::from(one.output_bytes));
    }

    /// The same as the decision takes it.
    pub(crate) fn as_record(&self) -> Record {
        let mut record = Record::default();
        let by_rule = self.calls_by_rule.iter().map(|(rule, calls)| {
            let calls = *calls;
            let used = UsedByRule {
                calls,
                ..UsedByRule::default()
            };
            (rule.clone(), used)
        });
        record.used = Used {
            calls: self.calls,
            wall_ms: self.wall_ms,
            output_bytes: self.output_bytes,
            by_rule: by_rule.collect(),
            ..Used::default()
        };
        record
    }
}

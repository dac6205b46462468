//! Describes the quotas of all rules about one tool together: each rule counts its own calls.

use std::collections::BTreeMap;

use bus_schema::Currency;

use super::words::{counted, joined, moneys};
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::rule::{Rule, RuleKind};
use crate::usage::Period;

/// Describes the sums of quotas for each tool that several rules permit, one sentence for each period.
pub(super) fn sums(contract: &Contract, catalogue: &Catalogue) -> Vec<String> {
    let mut said = Vec::new();
    for tool in catalogue.tools() {
        let rules = contract.about(tool.name().as_str());
        let permit: Vec<&Rule> = rules.filter(|rule| rule.kind != RuleKind::Deny).collect();
        if permit.len() < 2 {
            continue;
        }
        let is_limited = |period: Period| {
            let mut limits = contract.limits().of(period).tools.values();
            limits.any(|limit| limit.tool.matches(tool.name().as_str()))
        };
        for period in Period::ALL {
            let sums: Vec<String> = [
                calls(&permit, period).filter(|_| !is_limited(period)),
                spend(&permit, period),
            ]
            .into_iter()
            .flatten()
            .collect();
            if !sums.is_empty() {
                said.push(format!(
                    "Its {} rules together permit `{}` at most {} {}.",
                    permit.len(),
                    tool.name(),
                    joined(sums, "and"),
                    period.within()
                ));
            }
        }
    }
    said
}

/// The calls of all rules together; `None` if one of them has no quota.
fn calls(rules: &[&Rule], period: Period) -> Option<String> {
    let each = rules.iter().map(|rule| rule.quotas.of(period).calls);
    let calls: Option<u64> = each.sum();
    calls.map(|calls| counted(calls, "time", "times"))
}

/// The money of all rules together; `None` if one of them has no quota of money.
fn spend(rules: &[&Rule], period: Period) -> Option<String> {
    let mut all: BTreeMap<Currency, u64> = BTreeMap::new();
    for rule in rules {
        let spend = &rule.quotas.of(period).spend;
        if spend.is_empty() {
            return None;
        }
        for (currency, minor) in spend {
            let sum = all.entry(*currency).or_default();
            *sum = sum.saturating_add(*minor);
        }
    }
    Some(format!("for {}", moneys(&all)))
}

//! Computes the envelope of a contract: the maxima that executors and the broker check independently.

use std::collections::BTreeSet;

use bus_schema::{Ask, Envelope, EnvelopeTool, PublicKey};

use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::labels::FlowAction;
use crate::limits::{CALL_OUTPUT_BYTES_MAX, CALL_WALL_MS_MAX};
use crate::rule::{Rule, RuleKind};

/// Computes the envelope of a contract over the catalogue it was parsed against, with tools sorted by name:
/// it includes everything that the contract can permit. It may be wider than the contract, never
/// narrower.
#[must_use]
pub fn envelope(contract: &Contract, catalogue: &Catalogue) -> Envelope {
    let limits = &contract.limits().task;
    let most = |limit: Option<u64>, call: u64| {
        u32::try_from(limit.unwrap_or(u64::MAX).min(call)).unwrap_or(u32::MAX)
    };
    let permitted = catalogue.tools().filter(|tool| permits(contract, tool));
    let output = permitted.map(Tool::output_bytes_max).max();
    let permits = contract.rules().filter(|rule| rule.kind != RuleKind::Deny);
    let secrets: BTreeSet<_> = permits
        .flat_map(|rule| rule.secrets.iter().cloned())
        .collect();
    Envelope {
        expires: contract.expires(),
        tools: catalogue
            .tools()
            .filter_map(|tool| flatten(contract, tool))
            .collect(),
        wall_ms_max: most(limits.wall_ms, CALL_WALL_MS_MAX),
        output_bytes_max: most(limits.output_bytes, output.unwrap_or(CALL_OUTPUT_BYTES_MAX)),
        hosts: texts(&contract.reach().hosts),
        networks: texts(&contract.reach().networks),
        secrets: secrets.into_iter().collect(),
        approvers: approvers(contract),
        folders: contract.folders().clone(),
    }
}

/// Returns true if the contract can permit a call of the tool.
pub(crate) fn permits(contract: &Contract, tool: &Tool) -> bool {
    flatten(contract, tool).is_some()
}

fn texts<T: ToString>(each: &[T]) -> Vec<String> {
    each.iter().map(ToString::to_string).collect()
}

/// Returns the keys of all roles of a contract.
fn approvers(contract: &Contract) -> Vec<PublicKey> {
    let mut keys: Vec<PublicKey> = Vec::new();
    for key in contract.roles().values().flat_map(|role| &role.keys) {
        if !keys.contains(key) {
            keys.push(*key);
        }
    }
    keys
}

/// Returns the maxima of one tool; `None` if the contract never permits it.
fn flatten(contract: &Contract, tool: &Tool) -> Option<EnvelopeTool> {
    let about = contract
        .rules()
        .filter(|rule| rule.tool.matches(tool.name().as_str()));
    let (mut allows, mut asks, mut asks_all) = (false, false, false);
    let mut calls = 0_u64;
    for rule in about {
        let unbound = rule.is_unconditional();
        match rule.kind {
            RuleKind::Deny if unbound => return None,
            RuleKind::Deny => continue,
            RuleKind::Allow => {
                allows = true;
                asks |= tool.is_guarded() && may_ask(rule);
                asks |= rule.otherwise;
            }
            RuleKind::Ask(_) => {
                asks = true;
                asks_all |= unbound;
            }
        }
        calls = calls.saturating_add(most(rule));
    }
    let ask = match (allows, asks) {
        (false, false) => return None,
        (true, false) => Ask::Never,
        (true, true) if !asks_all => Ask::Sometimes,
        (true | false, true) => Ask::Always,
    };
    let limits = &contract.limits().task;
    let of_tool = limits.tools.values();
    let of_tool = of_tool.filter(|limit| limit.tool.matches(tool.name().as_str()));
    let of_tool = of_tool.map(|limit| limit.calls).min();
    let limit = limits.calls.into_iter().chain(of_tool).min();
    Some(EnvelopeTool {
        name: tool.name().clone(),
        digest: tool.digest(),
        ask,
        calls: u32::try_from(calls.min(limit.unwrap_or(u64::MAX))).unwrap_or(u32::MAX),
    })
}

/// Returns true if an allow can lead to a question because of the labels of the task.
fn may_ask(rule: &Rule) -> bool {
    let ask = Some(FlowAction::Ask);
    rule.untrusted.is_none() || rule.untrusted == ask || rule.secret == ask
}

fn most(rule: &Rule) -> u64 {
    rule.quotas.task.calls.unwrap_or(u64::MAX)
}

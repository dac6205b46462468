//! Flattens a contract to the maxima that executors and the broker check by themselves.

use bus_schema::{Ask, Envelope, EnvelopeTool};

use crate::catalogue::{Catalogue, Tool};
use crate::contract::{Contract, Rule, RuleKind};
use crate::decide::{CALL_OUTPUT_BYTES_MAX, CALL_WALL_MS_MAX};

/// Computes the envelope of a contract over the catalogue it was parsed against, its tools sorted by name:
/// everything that the contract could ever permit lies inside. It may be wider than the contract, never
/// narrower.
#[must_use]
pub fn envelope(contract: &Contract, catalogue: &Catalogue) -> Envelope {
    let limits = contract.limits();
    let most = |limit: u64, call: u64| u32::try_from(limit.min(call)).unwrap_or(u32::MAX);
    Envelope {
        expires: contract.expires(),
        tools: catalogue
            .tools()
            .filter_map(|tool| flatten(contract, tool))
            .collect(),
        wall_ms_max: most(limits.wall_ms, CALL_WALL_MS_MAX),
        output_bytes_max: most(limits.output_bytes, CALL_OUTPUT_BYTES_MAX),
        hosts: Vec::new(),
        secrets: Vec::new(),
        approvers: Vec::new(),
    }
}

/// What a contract can permit of one tool; `None` for nothing.
fn flatten(contract: &Contract, tool: &Tool) -> Option<EnvelopeTool> {
    let about = contract
        .rules()
        .filter(|rule| rule.tool.matches(tool.name().as_str()));
    let (mut allows, mut asks, mut asks_all) = (false, false, false);
    let mut calls = 0_u64;
    for rule in about {
        let unbound = rule.bounds.is_empty() && !rule.only;
        match rule.kind {
            RuleKind::Deny if unbound => return None,
            RuleKind::Deny => continue,
            RuleKind::Allow => allows = true,
            RuleKind::Ask { .. } => {
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
    Some(EnvelopeTool {
        name: tool.name().clone(),
        digest: tool.digest(),
        ask,
        calls: u32::try_from(calls.min(contract.limits().calls)).unwrap_or(u32::MAX),
    })
}

fn most(rule: &Rule) -> u64 {
    rule.calls.unwrap_or(u64::MAX)
}

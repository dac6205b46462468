//! Describes where the calls of a contract may send to.

use super::words::joined;
use crate::reach::Reach;

/// A description of one part; `None` for the default.
type Said = fn(&Reach) -> Option<String>;

/// The parts by the name of their check.
pub(crate) const CHECKS: [(&str, Said); 2] = [("hosts", hosts), ("networks", networks)];

/// Describes both parts, one sentence each.
pub(crate) fn sentences(reach: &Reach) -> Vec<String> {
    let said = CHECKS.iter().filter_map(|(_, said)| said(reach));
    said.map(|said| format!("{said}.")).collect()
}

fn hosts(reach: &Reach) -> Option<String> {
    let names = reach.hosts.iter().map(ToString::to_string);
    let names: Vec<String> = names.collect();
    let said = joined(names, "and");
    (!reach.hosts.is_empty()).then(|| format!("Its calls may send to {said}, and to no other host"))
}

fn networks(reach: &Reach) -> Option<String> {
    let names = reach.networks.iter().map(ToString::to_string);
    let names: Vec<String> = names.collect();
    let network = match names.len() {
        0 => return None,
        1 => "the network",
        _ => "the networks",
    };
    let said = joined(names, "and");
    Some(format!(
        "These hosts may be in {network} {said}, where nothing is sent to otherwise"
    ))
}

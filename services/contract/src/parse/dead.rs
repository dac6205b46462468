//! Reports rules that no call can match, and keys that have no effect, at their places.

use std::ops::Range;

use super::source::{Node, Source};
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::dead::{self, Part};
use crate::rule::Rule;

/// Reports dead rules of a contract that is correct otherwise; `nodes` are its rules in the document, in the same order.
pub(super) fn check(
    source: &mut Source<'_>,
    contract: &Contract,
    nodes: &[&Node<'_>],
    catalogue: &Catalogue,
) {
    let rules: Vec<&Rule> = contract.rules().collect();
    for found in dead::find(&rules, (contract.limits(), &contract.slots), catalogue) {
        if let Some(node) = nodes.get(found.rule) {
            let span = place(node, &found.part);
            source.report(span, found.reason.problem, found.reason.fix);
        }
    }
}

/// The place of a part of a rule.
fn place(node: &Node<'_>, part: &Part) -> Range<usize> {
    let table = node.get_ref().as_table();
    let inner = table.and_then(|table| match part {
        Part::Whole => None,
        Part::Bound(name) => table.get("where")?.get_ref().as_table()?.get(name.as_str()),
        Part::Key(key) => table.get(*key).or_else(|| table.get("per_task")),
    });
    inner.map_or_else(|| node.span(), |inner| inner.span())
}

//! The parts of a task's history that the rules about a tool need, so that nothing else is read.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::RuleId;

use crate::bound::Bound;
use crate::bound::origin::Origin;
use crate::contract::Contract;

/// The parts of a task's history that calls of one tool need.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HistoryNeeds<'c> {
    /// The rules that need the arguments of all earlier calls that count under them.
    pub rules: BTreeSet<&'c RuleId>,
    /// The needed parts of earlier calls, by tool name.
    pub tools: BTreeMap<&'c str, CallParts>,
}

/// The needed parts of earlier calls of one tool, in addition to their outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallParts {
    /// True if the arguments are needed.
    pub args: bool,
    /// True if the results are needed.
    pub result: bool,
}

impl<'c> HistoryNeeds<'c> {
    /// Returns the parts that the rules of `contract` about `tool` need.
    pub fn of(contract: &'c Contract, tool: &str) -> Self {
        let mut recall = Self::default();
        for rule in contract.about(tool) {
            if !rule.repeats.is_empty() {
                recall.rules.insert(&rule.id);
            }
            for after in &rule.after {
                let need = recall.tools.entry(&after.tool).or_default();
                need.args |= !after.equal.is_empty();
            }
            rule.bounds.values().for_each(|bound| recall.bound(bound));
        }
        recall
    }

    fn bound(&mut self, bound: &'c Bound) {
        let Bound::All(predicates) = bound else {
            return;
        };
        for predicate in predicates {
            predicate
                .origins()
                .iter()
                .for_each(|origin| self.origin(origin));
            for tool in predicate.results() {
                self.tools.entry(tool).or_default().result = true;
            }
            predicate
                .inner()
                .into_iter()
                .for_each(|inner| self.bound(inner));
        }
    }

    fn origin(&mut self, origin: &'c Origin) {
        match origin {
            Origin::Task(_) | Origin::Slot(_) => {}
            Origin::Field { tool, .. } => self.tools.entry(tool).or_default().result = true,
            Origin::Argument { tool, .. } => self.tools.entry(tool).or_default().args = true,
        }
    }
}

//! Says what of a task's past the rules about a tool look at, so that nothing else has to be read.

use std::collections::BTreeMap;

use crate::bound::Bound;
use crate::bound::origin::Origin;
use crate::cedar::Condition;
use crate::contract::Contract;

/// What has to be known of a task's past to judge calls of one tool.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HistoryNeeds<'c> {
    /// The owner's words.
    pub words: bool,
    /// Earlier calls, by the name of their tool.
    pub tools: BTreeMap<&'c str, CallParts>,
}

/// What has to be known of earlier calls of one tool, beside what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallParts {
    /// Their arguments.
    pub args: bool,
    /// What they returned.
    pub result: bool,
}

impl<'c> HistoryNeeds<'c> {
    /// What the rules of `contract` about `tool` look at.
    pub fn of(contract: &'c Contract, tool: &str) -> Self {
        let mut recall = Self::default();
        for rule in contract.about(tool) {
            recall.words |= rule.when.as_ref().is_some_and(Condition::reads_words);
            if let Some(after) = &rule.after {
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
            predicate
                .inner()
                .into_iter()
                .for_each(|inner| self.bound(inner));
        }
    }

    fn origin(&mut self, origin: &'c Origin) {
        match origin {
            Origin::Task => self.words = true,
            Origin::Field { tool, .. } => self.tools.entry(tool).or_default().result = true,
            Origin::Argument { tool, .. } => self.tools.entry(tool).or_default().args = true,
        }
    }
}

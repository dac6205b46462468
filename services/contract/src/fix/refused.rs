//! A refused call, and the decision with a changed contract.

use bus_schema::RuleId;
use serde_json::Value;

use super::care;
use super::open::{Sources, masked, question};
use crate::bound::matching::Match;
use crate::catalogue::Effect;
use crate::combine::{RuleMatches, combine};
use crate::contract::{Contract, Header};
use crate::rule::{Rule, RuleKind};
use crate::valid_call::ValidCall;
use crate::verdict::{Change, Fix};
use crate::why::Misses;

/// Maximum length of a change, in bytes; longer ones are not readable.
const FIX_BYTES_MAX: usize = 4096;
/// The reason of a question about a change by a value that no trusted source names.
const OPEN: &str =
    "the task has read what anybody may have written, and this call changes something";

/// A candidate change of a contract.
pub(super) enum Changed {
    /// Replaces the rule of the same id.
    Rule(Rule),
    /// Adds a rule.
    Further(Rule),
    /// Removes the denies that match or are unknown.
    FewerDenies,
    Header(Header),
}

pub(super) type Try = (Changed, Fix);

/// The TOML of a change, and the arguments whose values it leaves open.
pub(super) struct Place {
    pub(super) toml: String,
    pub(super) open: Vec<String>,
}

/// The call that was refused.
pub(super) struct Refused<'a> {
    pub(super) contract: &'a Contract,
    pub(super) judged: &'a RuleMatches<'a>,
    pub(super) misses: &'a Misses<'a>,
    pub(super) case: &'a ValidCall<'a>,
    pub(super) sources: Sources<'a>,
}

impl<'a> Refused<'a> {
    /// Decides again with the change. It reuses the matches of the other rules, which the change does not affect.
    pub(super) fn permits(&self, (changed, fix): Try) -> Option<Fix> {
        let (contract, case) = (self.contract, self.case);
        let judge = |rule: &Rule| rule.judge(&case.context);
        let with = |head: &Header, judged: &RuleMatches<'_>| {
            head.open(&case.context.view, &contract.name).is_ok()
                && combine(&head.limits, judged, case).is_ok()
        };
        let found = fix.toml.len() <= FIX_BYTES_MAX
            && match &changed {
                Changed::Rule(rule) => {
                    let each = self.judged.iter();
                    let judged = each.map(|(own, found)| {
                        if own.id == rule.id {
                            (rule, judge(rule))
                        } else {
                            (*own, *found)
                        }
                    });
                    with(&contract.head, &judged.collect())
                }
                Changed::Further(rule) => {
                    let mut judged: RuleMatches<'_> = self.judged.clone();
                    judged.push((rule, judge(rule)));
                    with(&contract.head, &judged)
                }
                Changed::FewerDenies => {
                    let each = self
                        .judged
                        .iter()
                        .filter(|(rule, found)| rule.kind != RuleKind::Deny || *found == Match::No);
                    with(&contract.head, &each.copied().collect())
                }
                Changed::Header(head) => with(head, self.judged),
            };
        found.then_some(fix)
    }

    pub(super) fn rule(&self, id: &RuleId) -> Option<&'a Rule> {
        let found = self.judged.iter().find(|(rule, _)| rule.id == *id);
        found.map(|(rule, _)| *rule)
    }

    /// Returns the reason for which a person has to see the call; `None` if a rule may allow it.
    pub(super) fn careful(&self) -> Option<&'static str> {
        let writes = self.case.effect != Effect::Read;
        let open = || (writes && self.sources.any_open()).then_some(OPEN);
        care::reason(self.case).or_else(open)
    }

    /// Writes a key with its new value. If the value of an argument has to be left open, what is new is a question.
    pub(super) fn written(
        &self,
        key: &str,
        (new, old): (String, String),
        open: Option<(&str, &Value)>,
    ) -> Option<Place> {
        let Some((argument, value)) = open else {
            let toml = format!("{key} = {new}");
            let open = Vec::new();
            return Some(Place { toml, open });
        };
        let shown = masked(&new, &old, question(argument, value))?;
        Some(Place {
            toml: self.sources.line(&format!("{key} = {shown}")),
            open: vec![argument.to_owned()],
        })
    }
}

/// Creates the change of one rule.
pub(super) fn changed_rule(rule: Rule, Place { toml, open }: Place) -> Try {
    let change = Change::ChangeRule {
        rule: rule.id.clone(),
    };
    (Changed::Rule(rule), Fix { change, toml, open })
}

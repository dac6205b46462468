//! Describes what a contract permits by its effects, for a person who decides if that is too much.

use crate::catalogue::{Catalogue, Effect};
use crate::contract::Contract;
use crate::rule::{Rule, RuleKind};

use super::{Sentence, Shown, limits, of_rule, plain, reach};

/// Says what tasks of the contract may read, change, send and spend.
#[must_use]
pub fn powers(contract: &Contract, catalogue: &Catalogue) -> Shown {
    let of = |effects: &[Effect]| {
        let permits = |rule: &&Rule| rule.kind != RuleKind::Deny && can(rule, catalogue, effects);
        let rules = contract.rules().filter(permits);
        let each = rules.map(|rule| of_rule(rule, contract, catalogue));
        each.collect::<Vec<Sentence>>()
    };
    let mut sends = of(&[Effect::Tell, Effect::Outward]);
    if !sends.is_empty() {
        sends.extend(plain(reach::sentences(contract.reach())));
    }
    let mut besides = vec!["Everything else is refused.".to_owned()];
    if contract.task().is_some() {
        besides.push("It is only for a task with exactly these words.".to_owned());
    }
    let sections = [
        ("It may read", of(&[Effect::Read])),
        ("It may change", of(&[Effect::Write])),
        ("It may send", sends),
        ("It may spend", limits(contract, catalogue)),
        ("What holds besides", plain(besides)),
    ];
    Shown::of(contract, sections)
}

/// Returns true if a call of a tool that the rule is about can have one of these effects.
fn can(rule: &Rule, catalogue: &Catalogue, effects: &[Effect]) -> bool {
    let mut tools = catalogue.tools();
    tools.any(|tool| {
        let has = |effect: &Effect| tool.effects().include(*effect);
        rule.tool.matches(tool.name().as_str()) && effects.iter().any(has)
    })
}

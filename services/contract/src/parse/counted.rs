//! Reports rules whose calls would bypass a limit, or count under another rule.

use std::ops::Range;

use super::source::Source;
use crate::catalogue::Catalogue;
use crate::limits::Limits;
use crate::quota::Quota;
use crate::rule::{Rule, RuleKind};
use crate::usage::Period;

/// The place of a rule, and facts that the parsed rule does not have.
pub(super) struct Written {
    pub(super) span: Range<usize>,
    pub(super) says_tokens: bool,
    pub(super) named: bool,
}

/// Reports rules of a contract of this version whose calls would bypass a limit, or count under another rule.
pub(super) fn check(
    source: &mut Source<'_>,
    (version, limits): (i64, &Limits),
    rules: &[(Rule, Written)],
    catalogue: &Catalogue,
) {
    let permits = || rules.iter().filter(|(rule, _)| rule.kind != RuleKind::Deny);
    for (rule, written) in permits() {
        if limits.count_tokens() && !written.says_tokens {
            let problem =
                "the contract limits tokens, and the rule does not say how many a call takes";
            let fix = "add `tokens = …`, or `tokens = 0` if its calls take none";
            source.report(written.span.clone(), problem, fix);
        }
        let tool = catalogue
            .tools()
            .find(|tool| rule.tool.matches(tool.name().as_str()) && tool.may_move_money());
        if let Some(tool) = tool.filter(|_| limits.count_money() && !rule.says_spend()) {
            let problem = format!(
                "the contract limits money, and the rule does not say how much a call of `{}` moves",
                tool.name()
            );
            let fix = "add `spend = { argument = …, currency = \"EUR\" }`, or `spend = \"nothing\"` if its calls move no money";
            source.report(written.span.clone(), problem, fix);
        }
        let lasting = [Period::Hour, Period::Day, Period::Contract];
        let lasts = |period: &Period| *rule.quotas.of(*period) != Quota::default();
        if version > 1 && !written.named && lasting.iter().any(lasts) {
            let problem = format!(
                "what `{}` used under earlier versions would be counted by its place alone",
                rule.id
            );
            let fix = "give the rule a `name`, and keep it in later versions";
            source.report(written.span.clone(), problem, fix);
        }
    }
    for tool in catalogue.tools() {
        let mut about = permits().filter(|(rule, _)| rule.tool.matches(tool.name().as_str()));
        let Some((first, _)) = about.clone().find(|(rule, _)| rule.spend.is_some()) else {
            continue;
        };
        if let Some((other, written)) = about.find(|(rule, _)| rule.spend != first.spend) {
            let problem = format!(
                "`{}` and `{}` do not say the same of how much money a call of `{}` moves",
                first.id,
                other.id,
                tool.name()
            );
            let fix = "write the same `spend` in both: what a call moves must not depend on the rule that permits it";
            source.report(written.span.clone(), problem, fix);
            return;
        }
    }
}

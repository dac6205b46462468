//! The reasons of refusals, in words that need no knowledge of the contract.

use serde_json::Value;

use crate::bound::kind::{Inner as _, Unit};
use crate::bound::matching::{CallContext, Match, is_ambiguous, lookup};
use crate::money::sum_text;
use crate::quota::QuotaExceeded;
use crate::rule::{Rule, RuleKind};
use crate::schema::Arguments;
use crate::show::words::{clipped, counted, joined, moneys};
use crate::usage::Period;
use crate::valid_call::ValidCall;

/// Maximum length of a described bound, in characters.
const BOUND_CHARS_MAX: usize = 160;

/// The rules that can permit the tool, each with the arguments whose bounds do not match a call.
pub(crate) type Misses<'r> = Vec<(&'r Rule, Vec<&'r str>)>;

/// Describes the reason for which the match of a rule cannot be told.
pub(crate) fn undecidable(rule: &Rule, context: &CallContext<'_>, tool: &Arguments) -> String {
    let does = match rule.kind {
        RuleKind::Allow => "permits",
        RuleKind::Ask(_) => "asks about",
        RuleKind::Deny => "forbids",
    };
    let unsure = match rule.failing(context)[..] {
        [] => "what it says about the arguments together, or about earlier calls, cannot be told for this call".to_owned(),
        ref names => joined(names.iter().map(|name| unjudged(rule, name, context, tool)).collect(), "and"),
    };
    let (rule, name) = (&rule.id, context.tool);
    format!(
        "`{rule}` {does} some calls of `{name}`, and it cannot be told whether this is one: {unsure}"
    )
}

/// Describes an argument that a bound cannot judge.
fn unjudged(rule: &Rule, name: &str, context: &CallContext<'_>, tool: &Arguments) -> String {
    let bound = rule.bounds.get(name);
    let wanted = bound.map_or_else(String::new, |bound| {
        clipped(&bound.say(unit(tool, name)), BOUND_CHARS_MAX)
    });
    let is_known =
        bound.is_some_and(|bound| bound.judge_at(context.args, name, context) == Match::No);
    let missing = lookup(context.args, name).is_none_or(Value::is_null);
    if is_ambiguous(context.args, name) {
        format!("`{name}` could mean two of the arguments")
    } else if missing {
        format!("`{name}` is missing, and the rule is about calls whose `{name}` {wanted}")
    } else if is_known {
        format!("`{name}` is outside of the rule, which is about calls whose `{name}` {wanted}")
    } else {
        format!(
            "`{name}` has a form that the rule cannot judge; it is about calls whose `{name}` {wanted}"
        )
    }
}

fn unit(tool: &Arguments, name: &str) -> Unit {
    Unit::of(&[tool.types(name)])
}

/// Describes the rule that comes nearest to permitting a call, and what it asks of the call.
pub(crate) fn nearest(misses: &Misses<'_>, case: &ValidCall<'_>) -> String {
    let (context, tool) = (&case.context, case.tool.arguments());
    let nearest = misses.iter().min_by_key(|(_, failing)| failing.len());
    let Some((rule, failing)) = nearest else {
        return String::new();
    };
    let wanted = match failing[..] {
        [] => rest(rule, context),
        ref names => {
            let each = names.iter().filter_map(|name| {
                let said = rule.bounds.get(*name)?.say(unit(tool, name));
                Some(format!("`{name}` {}", clipped(&said, BOUND_CHARS_MAX)))
            });
            format!("only if {}", joined(each.collect(), "and"))
        }
    };
    let does = match rule.kind {
        RuleKind::Allow | RuleKind::Deny => "permits it",
        RuleKind::Ask(_) => "permits it, after a yes,",
    };
    format!("; `{}` {does} {wanted}", rule.id)
}

/// Describes the part of a rule that fails for a call within all bounds.
fn rest(rule: &Rule, context: &CallContext<'_>) -> String {
    let holds = |judged: Match| judged == Match::Yes;
    let when = rule.when.as_ref();
    if let Some(when) = when.filter(|when| !holds(when.judge(context))) {
        let when = clipped(when.text(), BOUND_CHARS_MAX);
        return format!("only if this holds: {when}");
    }
    let mut after = rule.after.iter();
    let missing = after.find(|after| !holds(after.judge(context)));
    missing.map_or_else(
        || "only without further arguments".to_owned(),
        |after| format!("only if {}", after.say()),
    )
}

/// Describes the quota that a call exceeds.
pub(crate) fn spent(rule: &Rule, period: Period, lack: &QuotaExceeded) -> String {
    let within = period.within();
    let quota = rule.quotas.of(period);
    let id = &rule.id;
    match lack {
        QuotaExceeded::Calls => {
            let calls = counted(quota.calls.unwrap_or_default(), "call", "calls");
            format!("`{id}` permits at most {calls} {within}, and none is left")
        }
        QuotaExceeded::Sum(name) => {
            let most = sum_text(quota.sums.get(name).copied().unwrap_or_default());
            format!(
                "`{id}` permits `{name}` to add up to at most {most} {within}, and with this call it would be more"
            )
        }
        QuotaExceeded::Spend(currency) if quota.spend.contains_key(currency) => {
            let most = moneys(&quota.spend);
            format!("`{id}` permits at most {most} {within}, and with this call it would be more")
        }
        QuotaExceeded::Spend(currency) => {
            format!(
                "`{id}` permits no {currency} {within}, only {}",
                moneys(&quota.spend)
            )
        }
    }
}

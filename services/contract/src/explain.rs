//! Explains a verdict: the result of each rule about the tool, with reasons.

mod arguments;

use bus_schema::RuleId;
use diagnostic::escaped;
use serde::Serialize;
use serde_json::Value;

use crate::bound::kind::{Inner as _, Unit};
use crate::bound::matching::{CallContext, Match, is_ambiguous, lookup};
use crate::catalogue::Catalogue;
use crate::combine::{Candidate, candidate};
use crate::contract::Contract;
use crate::decide;
use crate::record::View;
use crate::rule::{Rule, RuleKind};
use crate::show::words::clipped;
use crate::valid_call::ValidCall;
use crate::verdict::{Call, Verdict};
use bus_schema::json;

/// Maximum length of a condition, in characters.
const WHEN_CHARS_MAX: usize = 300;
/// Maximum length of a quoted value, in characters.
const VALUE_CHARS_MAX: usize = 120;

/// The result of one rule for a call, with reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleExplanation {
    /// The rule.
    pub rule: RuleId,
    /// `allow`, `ask` or `deny`.
    pub kind: &'static str,
    /// The result.
    pub says: RuleResult,
    /// The reasons for people, one sentence each.
    pub why: Vec<String>,
}

/// The result of a rule for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleResult {
    /// The rule matches and decides the verdict.
    Decides,
    /// The rule matches, and another rule decides.
    Matches,
    /// The rule matches, but its quota is spent, or the labels of the task forbid the call.
    Exhausted,
    /// The match is unknown, so the rule never permits and always restricts.
    CannotTell,
    /// The rule does not match.
    DoesNotMatch,
}

impl RuleResult {
    /// The result in words, for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Decides => "decides",
            Self::Matches => "matches",
            Self::Exhausted => "permits no more",
            Self::CannotTell => "cannot tell",
            Self::DoesNotMatch => "does not match",
        }
    }
}

/// Returns the result of each rule about the tool, allow before ask before deny; empty for an unknown tool or invalid
/// arguments, because no rule is evaluated then.
#[must_use]
pub fn explain(
    contract: &Contract,
    catalogue: &Catalogue,
    view: &View<'_>,
    call: &Call<'_>,
    verdict: &Verdict,
) -> Vec<RuleExplanation> {
    let Ok((tool, args)) = decide::arguments(catalogue, call) else {
        return Vec::new();
    };
    let context = CallContext {
        tool: tool.name().as_str(),
        args: &args,
        schema: tool.arguments(),
        view: *view,
        zone: &contract.head.zone,
    };
    let case = ValidCall::new(tool, context);
    let about = contract.rules().filter(|rule| rule.tool.matches(call.tool));
    about
        .map(|rule| considered(rule, contract, &case, verdict))
        .collect()
}

fn considered(
    rule: &Rule,
    contract: &Contract,
    case: &ValidCall<'_>,
    verdict: &Verdict,
) -> RuleExplanation {
    let (Verdict::Granted { rule: decides, .. }
    | Verdict::Ask { rule: decides, .. }
    | Verdict::Refused { rule: decides, .. }) = verdict;
    let own = *decides == rule.id;
    let (says, mut why) = match rule.judge(&case.context) {
        Match::No if own && rule.asks_about(&case.context) => {
            let asks = "only its bounds leave the call out, so it asks about it";
            let why = misses(rule, case).into_iter().chain([asks.to_owned()]);
            (RuleResult::Decides, why.collect())
        }
        Match::No => (RuleResult::DoesNotMatch, misses(rule, case)),
        Match::Unknown => (RuleResult::CannotTell, misses(rule, case)),
        Match::Yes if own => (RuleResult::Decides, vec![describes(rule)]),
        Match::Yes if rule.kind == RuleKind::Deny => (RuleResult::Matches, vec![describes(rule)]),
        Match::Yes => match candidate(rule, contract.limits(), case) {
            Ok(candidate) => {
                let reason = instead(&candidate, decides, contract, case);
                let why = format!("{}, but `{decides}` {reason}", describes(rule));
                (RuleResult::Matches, vec![why])
            }
            Err(refusal) => (RuleResult::Exhausted, vec![refusal.why]),
        },
    };
    if !matches!(says, RuleResult::DoesNotMatch | RuleResult::CannotTell) {
        why.extend(arguments::described(rule, case));
    }
    RuleExplanation {
        rule: rule.id.clone(),
        kind: rule.kind.word(),
        says,
        why,
    }
}

/// Describes why another rule decides instead of one that matches.
fn instead(
    own: &Candidate<'_>,
    decides: &RuleId,
    contract: &Contract,
    case: &ValidCall<'_>,
) -> String {
    let mut rules = contract.rules();
    let Some(other) = rules.find(|rule| rule.id == *decides) else {
        return "decides".to_owned();
    };
    match (&own.rule.kind, &other.kind) {
        (RuleKind::Allow, RuleKind::Allow) => candidate(other, contract.limits(), case)
            .map_or_else(
                |_| "decides".to_owned(),
                |other| format!("takes it: it {}", own.behind(&other)),
            ),
        (_, RuleKind::Deny) => "denies it, and a deny comes first".to_owned(),
        (RuleKind::Allow, RuleKind::Ask(_)) => "asks, and an ask comes before an allow".to_owned(),
        (RuleKind::Ask(_), RuleKind::Ask(_)) => "asks, too, and is stricter".to_owned(),
        (RuleKind::Ask(_), RuleKind::Allow) | (RuleKind::Deny, _) => "decides".to_owned(),
    }
}

fn describes(rule: &Rule) -> String {
    let all = "it describes every call of the tools that it is about";
    let this = "everything that it says holds for this call";
    if rule.is_unconditional() { all } else { this }.to_owned()
}

/// Describes the parts of a rule that do not match or are unknown.
fn misses(rule: &Rule, case: &ValidCall<'_>) -> Vec<String> {
    let context = &case.context;
    let mut why = Vec::new();
    for name in rule.failing(context) {
        let Some(bound) = rule.bounds.get(name) else {
            continue;
        };
        let value = lookup(context.args, name);
        let outside = bound.judge_at(context.args, name, context) == Match::No;
        let unit = Unit::of(&[case.tool.arguments().types(name)]);
        let wanted = format!("the rule is about calls whose `{name}` {}", bound.say(unit));
        why.push(match value {
            None if is_ambiguous(context.args, name) => {
                format!("`{name}` could mean two of the arguments")
            }
            None => format!("`{name}` is missing, and {wanted}"),
            Some(value) if outside => format!("`{name}` is {}, and {wanted}", shown(value)),
            Some(value) => {
                let value = shown(value);
                format!("`{name}` is {value}, which cannot be judged: {wanted}")
            }
        });
    }
    if rule.only {
        let named = |name: &String| !rule.bounds.keys().any(|bound| covers(bound, name));
        let more: Vec<_> = context.args.keys().filter(|name| named(name)).collect();
        if !rule.bounds_all(context) {
            let more = more.iter().map(|name| format!("`{name}`"));
            let more = more.collect::<Vec<_>>().join(", ");
            why.push(format!(
                "the rule is about calls with no further arguments, and there is {}",
                if more.is_empty() {
                    "one".to_owned()
                } else {
                    more
                }
            ));
        }
    }
    for after in &rule.after {
        let found = after.judge(context);
        if found != Match::Yes {
            let earlier = format!("this does not hold: {}", after.say());
            why.push(earlier);
        }
    }
    if why.is_empty() {
        let when = rule.when.as_ref().map_or("", |when| when.text());
        let when = clipped(when, WHEN_CHARS_MAX);
        why.push(format!(
            "its condition does not hold, or cannot be told: {when}"
        ));
    }
    why
}

fn covers(bound: &str, argument: &str) -> bool {
    let rest = bound.strip_prefix(argument);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Writes a value without invisible characters, shortened.
fn shown(value: &Value) -> String {
    let text = String::from_utf8_lossy(&json::canonical(value)).into_owned();
    escaped(&clipped(&text, VALUE_CHARS_MAX))
}

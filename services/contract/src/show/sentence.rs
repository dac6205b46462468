//! Describes one rule in one sentence.

use crate::after::After;
use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::labels::FlowAction;
use crate::money::sum_text;
use crate::quota::{Quota, Spend, SpendCurrency};
use crate::rule::{OWNER, Question, Rule, RuleKind};
use crate::usage::Period;

use super::tools::what;
use super::words::{counted, duration, joined, moneys};
use crate::bound::kind::{Inner as _, Unit};

/// Describes a rule in one sentence.
pub(crate) fn sentence(rule: &Rule, contract: &Contract, catalogue: &Catalogue) -> String {
    let tools: Vec<&Tool> = catalogue
        .tools()
        .filter(|tool| rule.tool.matches(tool.name().as_str()))
        .collect();
    let what = what(&rule.tool, &tools, &rule.kind);
    let conditions = conditions(rule, &tools);
    let conditions = if conditions.is_empty() {
        String::new()
    } else {
        format!(", if {}", joined(conditions, "and"))
    };
    let start = match &rule.kind {
        RuleKind::Allow => format!("it may use {what}"),
        RuleKind::Ask(question) => {
            format!("after {}, it may use {what}", yes(question, contract))
        }
        RuleKind::Deny => format!("it may never use {what}"),
    };
    let mut more = quotas(rule);
    more.extend(costs(rule));
    if let RuleKind::Ask(question) = &rule.kind {
        more.push(asked(question, contract));
    }
    let more = if more.is_empty() {
        String::new()
    } else {
        format!("; {}", more.join("; "))
    };
    format!("{start}{conditions}{more}.")
}

fn conditions(rule: &Rule, tools: &[&Tool]) -> Vec<String> {
    let mut each: Vec<String> = rule
        .bounds
        .iter()
        .map(|(name, bound)| {
            let types: Vec<_> = tools
                .iter()
                .map(|tool| tool.arguments().types(name))
                .collect();
            format!("`{name}` {}", bound.say(Unit::of(&types)))
        })
        .collect();
    if rule.only {
        each.push("nothing else is given".to_owned());
    }
    if let Some(when) = &rule.when {
        each.push(format!("this holds: «{}»", when.text()));
    }
    each.extend(rule.after.iter().map(after));
    each
}

fn after(after: &After) -> String {
    let tool = &after.tool;
    if after.equal.is_empty() {
        return format!("`{tool}` has succeeded before in this task");
    }
    let each = after.equal.iter().map(|(own, other)| {
        if own == other {
            format!("the same `{own}`")
        } else {
            format!("this `{own}` as its `{other}`")
        }
    });
    let each = joined(each.collect(), "and");
    format!("`{tool}` has succeeded before in this task with {each}")
}

fn quotas(rule: &Rule) -> Vec<String> {
    let mut each = Vec::new();
    for period in Period::ALL {
        let within = match period {
            Period::Task => "in one task",
            Period::Hour => "in one hour over all tasks",
            Period::Day => "in one day over all tasks",
            Period::Contract => "as long as the contract holds, over all tasks",
        };
        let Quota { calls, sums, spend } = rule.quotas.of(period);
        if let Some(calls) = calls {
            each.push(format!(
                "at most {} {within}",
                counted(*calls, "time", "times")
            ));
        }
        for (name, most) in sums {
            let most = sum_text(*most);
            each.push(format!("`{name}` adds up to at most {most} {within}"));
        }
        if !spend.is_empty() {
            each.push(format!(
                "at most {} {within}, and no other money",
                moneys(spend)
            ));
        }
    }
    each
}

/// Describes the costs of a call and its flow actions.
fn costs(rule: &Rule) -> Vec<String> {
    let mut each = Vec::new();
    if let Some(Spend {
        argument,
        currency,
        minor,
    }) = &rule.spend
    {
        let of = match currency {
            SpendCurrency::Fixed(currency) => format!("in {currency}"),
            SpendCurrency::Argument(name) => format!("in the currency that `{name}` names"),
        };
        let unit = if *minor {
            ", counted in its smallest unit"
        } else {
            ""
        };
        each.push(format!("`{argument}` is money that it moves, {of}{unit}"));
    }
    if rule.tokens > 0 {
        let tokens = counted(rule.tokens, "token", "tokens");
        each.push(format!("each call sets {tokens} aside"));
    }
    if !rule.secrets.is_empty() {
        let names = rule.secrets.iter().map(|name| format!("`{name}`"));
        let names = joined(names.collect(), "and");
        each.push(format!("the secret {names} may be used for it"));
    }
    each.extend(rule.free.as_ref().map(|free| {
        let names: Vec<String> = free.iter().map(|name| format!("`{name}`")).collect();
        let free = if names.is_empty() {
            "no argument".to_owned()
        } else {
            joined(names, "and")
        };
        format!("once the task has read untrusted data, {free} may still have any such value")
    }));
    let seen = [
        (rule.untrusted, "has read untrusted data"),
        (rule.secret, "has read a secret"),
    ];
    for (passage, seen) in seen {
        each.extend(passage.map(|passage| match passage {
            FlowAction::Allow => format!("also once the task {seen}"),
            FlowAction::Ask => format!("after the owner's yes once the task {seen}"),
            FlowAction::Refuse => format!("not once the task {seen}"),
        }));
    }
    each
}

/// Describes the approval that a question needs.
fn yes(question: &Question, contract: &Contract) -> String {
    let who = role(&question.role, contract);
    match question.quorum {
        1 => format!("a yes of {who}"),
        several => format!("{several} different yeses of {who}"),
    }
}

fn role(name: &str, contract: &Contract) -> String {
    if name == OWNER {
        return "the owner".to_owned();
    }
    let called = contract
        .roles()
        .get(name)
        .and_then(|role| role.name.as_ref());
    called.map_or_else(
        || format!("`{name}`"),
        |called| format!("`{name}` ({called})"),
    )
}

fn asked(question: &Question, contract: &Contract) -> String {
    let Question {
        reason,
        expires_ms,
        escalate,
        attended,
        ..
    } = question;
    let later = escalate.as_ref();
    let later = later.map_or_else(String::new, |later| {
        let after = duration(later.after_ms);
        let who = role(&later.role, contract);
        format!(", and after {after} without an answer, {who} may say yes, too")
    });
    let stands = duration(*expires_ms);
    let reason = crate::toml_text::quoted(reason);
    let person = if *attended {
        "; a person has to answer it at a terminal"
    } else {
        ""
    };
    format!("the question says {reason} and stands for {stands}{later}{person}")
}

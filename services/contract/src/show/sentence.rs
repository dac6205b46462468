//! Describes one rule: a sentence, its conditions as a list, and one sentence for each other fact.

use std::collections::BTreeSet;

use crate::after::After;
use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::labels::FlowAction;
use crate::money::sum_text;
use crate::quota::{Quota, Spend, SpendCurrency, SpentArgument};
use crate::repeat::Repeats;
use crate::rule::{OWNER, Question, Rule, RuleKind};
use crate::toml_text::quoted;
use crate::usage::Period;

use super::tools::what;
use super::words::{counted, duration, joined, moneys};
use crate::bound::kind::{Inner as _, Unit};

/// A rule in words.
#[derive(Debug)]
pub(crate) struct Told {
    /// The effect of the rule and its tools; also the condition if there is only one.
    pub(crate) start: String,
    /// The conditions, if there are several.
    pub(crate) conditions: Vec<String>,
    /// The other statements of the rule, one sentence each.
    pub(crate) more: Vec<String>,
}

impl Told {
    /// The whole rule on one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.start.clone();
        if !self.conditions.is_empty() {
            line.push_str(&format!(" {}.", self.conditions.join("; ")));
        }
        for one in &self.more {
            line.push_str(&format!(" {one}"));
        }
        line
    }
}

/// Describes a rule on one line.
pub(crate) fn sentence(rule: &Rule, contract: &Contract, catalogue: &Catalogue) -> String {
    told(rule, contract, catalogue).line()
}

/// Describes a rule.
pub(crate) fn told(rule: &Rule, contract: &Contract, catalogue: &Catalogue) -> Told {
    let tools: Vec<&Tool> = catalogue
        .tools()
        .filter(|tool| rule.tool.matches(tool.name().as_str()))
        .collect();
    let what = what(&rule.tool, &tools, &rule.kind);
    let start = match &rule.kind {
        RuleKind::Allow => format!("it may use {what}"),
        RuleKind::Ask(question) => {
            format!("after {}, it may use {what}", yes(question, contract))
        }
        RuleKind::Deny => format!("it may never use {what}"),
    };
    let mut conditions = conditions(rule, &tools);
    let start = match conditions.len() {
        0 => format!("{start}."),
        1 => format!("{start}, if {}.", conditions.remove(0)),
        _ => format!("{start}, if all of this holds:"),
    };
    let mut more = quotas(rule);
    more.extend(repeats(&rule.repeats));
    more.extend(costs(rule, &tools));
    if rule.otherwise {
        more.push("a call that these bounds leave out waits for the owner's yes".to_owned());
    }
    let mut more: Vec<String> = more
        .into_iter()
        .map(|one| capital(&format!("{one}.")))
        .collect();
    if let RuleKind::Ask(question) = &rule.kind {
        more.extend(asked(question, contract));
    }
    Told {
        start,
        conditions,
        more,
    }
}

/// Begins a sentence with a capital letter, unless it begins with a quoted name.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next();
    first.map_or_else(String::new, |first| {
        format!("{}{}", first.to_uppercase(), chars.as_str())
    })
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
    each.extend(rule.after.iter().map(After::say));
    each
}

fn quotas(rule: &Rule) -> Vec<String> {
    let mut each = Vec::new();
    for period in Period::ALL {
        let within = period.within();
        let Quota { calls, sums, spend } = rule.quotas.of(period);
        if let Some(calls) = calls {
            each.push(format!(
                "at most {} {within}",
                counted(*calls, "such call", "such calls")
            ));
        }
        for (name, most) in sums {
            let most = sum_text(*most);
            each.push(format!(
                "all its `{name}` together are at most {most} {within}"
            ));
        }
        if !spend.is_empty() {
            each.push(format!(
                "at most {} {within}, and money of no other currency",
                moneys(spend)
            ));
        }
    }
    each
}

/// Describes how the calls of a rule in a task relate.
fn repeats(repeats: &Repeats) -> Vec<String> {
    let Repeats { per_value, same } = repeats;
    let per_value = per_value.iter().map(|(name, most)| match most {
        1 => format!("each time in one task with another `{name}`"),
        most => format!("at most {most} times in one task with the same `{name}`"),
    });
    let same = same
        .iter()
        .map(|name| format!("each time in one task with the same `{name}`"));
    per_value.chain(same).collect()
}

/// Describes the money that a call moves.
fn moved(spend: &Spend) -> String {
    let SpentArgument {
        argument,
        currency,
        minor,
    } = match spend {
        Spend::Argument(spent) => spent,
        Spend::AtMost(money) => return format!("each call sets {money} aside"),
    };
    let of = match currency {
        SpendCurrency::Fixed(currency) => format!("in {currency}"),
        SpendCurrency::Argument(name) => format!("in the currency that `{name}` names"),
    };
    let unit = if *minor {
        ", counted in its smallest unit"
    } else {
        ""
    };
    format!("a call moves the money in `{argument}`, {of}{unit}")
}

/// Describes the costs of a call and its flow actions.
fn costs(rule: &Rule, tools: &[&Tool]) -> Vec<String> {
    let mut each = Vec::new();
    each.extend(rule.spend.as_ref().map(moved));
    if rule.tokens > 0 {
        let tokens = counted(rule.tokens, "token", "tokens");
        each.push(format!("each call sets {tokens} aside"));
    }
    each.extend(keys(rule, tools));
    each.extend(rule.free.as_ref().map(|free| {
        let names: Vec<String> = free.iter().map(|name| format!("`{name}`")).collect();
        let free = if names.is_empty() {
            "no argument".to_owned()
        } else {
            joined(names, "and")
        };
        format!("once the task has read untrusted data, {free} may still have any value within these bounds")
    }));
    let seen = [
        (rule.untrusted, "has read untrusted data"),
        (rule.secret, "has read a secret"),
    ];
    for (passage, seen) in seen {
        each.extend(passage.map(|passage| match passage {
            FlowAction::Allow => format!("once the task {seen}, it may still be used"),
            FlowAction::Ask => format!("once the task {seen}, it waits for the owner's yes"),
            FlowAction::Refuse => format!("once the task {seen}, it may not be used"),
        }));
    }
    each
}

/// Describes the secrets of a rule: those with which its tools send to hosts, and all others.
fn keys(rule: &Rule, tools: &[&Tool]) -> Vec<String> {
    let mut others = Vec::new();
    let mut each = Vec::new();
    for secret in &rule.secrets {
        let uses = tools.iter().filter(|tool| tool.secret() == Some(secret));
        let hosts = uses.filter_map(|tool| Some(tool.http()?.endpoint().to_string()));
        let hosts: BTreeSet<String> = hosts.collect();
        if hosts.is_empty() {
            others.push(format!("`{secret}`"));
            continue;
        }
        let hosts = joined(hosts.into_iter().collect(), "and");
        each.push(format!("it may send to {hosts} with the key `{secret}`"));
    }
    if !others.is_empty() {
        let names = joined(others, "and");
        each.push(format!("a call may use the secret {names}"));
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

/// Describes a question, one sentence each.
fn asked(question: &Question, contract: &Contract) -> Vec<String> {
    let Question {
        reason,
        expires_ms,
        escalate,
        attended,
        verified,
        ..
    } = question;
    let end = if reason.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    let reason = quoted(reason);
    let mut each = vec![
        format!("The question says: {reason}{end}"),
        format!("It stands for {}.", duration(*expires_ms)),
    ];
    if let Some(later) = escalate {
        let after = duration(later.after_ms);
        let who = role(&later.role, contract);
        each.push(format!(
            "After {after} without an answer, {who} may say yes, too."
        ));
    }
    if *attended {
        each.push("A person has to answer it at a terminal.".to_owned());
    }
    if *verified {
        each.push("Only a passkey may say yes.".to_owned());
    }
    each
}

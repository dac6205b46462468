//! Describes a contract in plain sentences, one for each rule and each limit, for people who do not read code.

use serde::Serialize;
use serde_json::Value;

use crate::catalogue::{Catalogue, Effect, Tool};
use crate::contract::Contract;
use crate::labels::{Integrity, Labels, Secrecy};
use crate::limits::PeriodLimits;
use crate::rule::{Rule, RuleKind};
use crate::slot_rule::SlotRule;
use crate::toml_text::quoted;
use crate::usage::Period;

pub(crate) mod folders;
pub(crate) mod powers;
pub(crate) mod reach;
mod sentence;
mod sums;
mod tools;
pub(crate) mod words;

pub(crate) use self::sentence::sentence;
use self::sentence::told;
use self::words::{bytes, counted, duration, joined, list, moment, moneys};

/// The meaning of a contract: sections in reading order, each with at least one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The name of the contract.
    pub name: String,
    /// The version of the contract.
    pub version: u32,
    /// The sections.
    pub sections: Vec<Section>,
}

/// Sentences about one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The topic in a few words.
    pub title: String,
    /// The sentences.
    pub sentences: Vec<Sentence>,
}

/// One sentence, with its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// The rule that the sentence describes, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The sentence.
    pub text: String,
    /// The conditions that the sentence announces, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// The other statements of the rule, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<String>,
}

/// Describes a contract that was parsed against `catalogue`.
#[must_use]
pub fn show(contract: &Contract, catalogue: &Catalogue) -> Shown {
    let of = |kind: fn(&RuleKind) -> bool| {
        let rules = contract.rules().filter(|rule| kind(&rule.kind));
        rules
            .map(|rule| of_rule(rule, contract, catalogue))
            .collect()
    };
    let sections = [
        ("What it is for", head(contract)),
        (
            "What it may do by itself",
            of(|kind| matches!(kind, RuleKind::Allow)),
        ),
        (
            "What it may do after a yes",
            of(|kind| matches!(kind, RuleKind::Ask(_))),
        ),
        (
            "What it may never do",
            of(|kind| matches!(kind, RuleKind::Deny)),
        ),
        ("What it knows", plain(known(contract))),
        ("How much in all", limits(contract, catalogue)),
        ("What holds besides", plain(besides(contract, catalogue))),
        ("The tools", catalogued(contract, catalogue)),
    ];
    Shown::of(contract, sections)
}

/// Describes one rule.
fn of_rule(rule: &Rule, contract: &Contract, catalogue: &Catalogue) -> Sentence {
    let told = told(rule, contract, catalogue);
    Sentence {
        rule: Some(rule.id.to_string()),
        text: told.start,
        conditions: told.conditions,
        more: told.more,
    }
}

impl Shown {
    /// The sections that say something.
    fn of<'t>(
        contract: &Contract,
        sections: impl IntoIterator<Item = (&'t str, Vec<Sentence>)>,
    ) -> Self {
        let sections = sections.into_iter();
        let sections = sections.filter(|(_, sentences)| !sentences.is_empty());
        Self {
            name: contract.name().to_string(),
            version: contract.version(),
            sections: sections
                .map(|(title, sentences)| Section {
                    title: title.to_owned(),
                    sentences,
                })
                .collect(),
        }
    }

    /// Formats the sections as text, without a final line end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}, version {}", self.name, self.version);
        for Section { title, sentences } in &self.sections {
            text.push_str(&format!("\n\n{title}"));
            for sentence in sentences {
                let rule = sentence.rule.as_ref();
                let rule = rule.map_or_else(String::new, |rule| format!("{rule}: "));
                text.push_str(&format!("\n- {rule}{}", sentence.text));
                for condition in &sentence.conditions {
                    text.push_str(&format!("\n  - {condition}"));
                }
                for more in &sentence.more {
                    text.push_str(&format!("\n  {more}"));
                }
            }
        }
        text
    }
}

fn plain(texts: Vec<String>) -> Vec<Sentence> {
    let each = texts.into_iter();
    each.map(|text| Sentence {
        rule: None,
        text,
        conditions: Vec::new(),
        more: Vec::new(),
    })
    .collect()
}

fn head(contract: &Contract) -> Vec<Sentence> {
    let from = contract
        .starts_ms()
        .map_or_else(String::new, |ms| format!("{} ", starts(ms)));
    let who = contract.principals().iter().map(|one| principal(one));
    let mut texts = vec![
        format!("{}.", contract.purpose().trim_end_matches('.')),
        format!("It is the contract of: {}.", contract.owner()),
        format!("It holds {from}{}.", expires(contract.expires_ms())),
        format!("It is for {}.", joined(who.collect(), "and")),
    ];
    if contract.zone() != "UTC" {
        let said = zone(contract.zone());
        texts.push(format!("{}.", said.replacen('t', "T", 1)));
    }
    texts.extend(folders::sentences(contract.folders()));
    texts.extend(reach::sentences(contract.reach()));
    texts.extend(contract.task().map(|text| format!("{}.", only_task(text))));
    texts.extend(contract.slots.values().map(SlotRule::sentence));
    for (name, role) in contract.roles() {
        let called = role.name.as_ref();
        let called = called.map_or_else(String::new, |called| format!(" ({called})"));
        let keys = list(&role.keys, "or");
        texts.push(format!("`{name}`{called} is whoever holds the key {keys}."));
    }
    plain(texts)
}

/// Describes the start of a contract.
pub(crate) fn starts(ms: i64) -> String {
    format!("from {}", moment(ms, false))
}

/// Describes the expiry of a contract.
pub(crate) fn expires(ms: i64) -> String {
    format!("until {}, and allows nothing after that", moment(ms, true))
}

/// Describes the zone of a contract.
pub(crate) fn zone(name: &str) -> String {
    format!("the days and times in the owner's words are those of {name}")
}

/// Describes the text of the only tasks of a contract.
pub(crate) fn only_task(text: &str) -> String {
    format!(
        "It is only for a task with exactly this text: {}",
        quoted(text)
    )
}

/// Describes a principal in words.
pub(crate) fn principal(principal: &str) -> String {
    match principal.split_once(':') {
        None if principal == "job" => "every scheduled job".to_owned(),
        None => "tasks that a person starts".to_owned(),
        Some(("job", name)) => format!("the scheduled job `{name}`"),
        Some((_, id)) => format!("tasks of the session `{id}`"),
    }
}

/// Describes the sets of values that the owner named.
fn known(contract: &Contract) -> Vec<String> {
    let each = contract.known.values();
    each.map(|set| words::known(set)).collect()
}

fn limits(contract: &Contract, catalogue: &Catalogue) -> Vec<Sentence> {
    let each = Period::ALL.into_iter();
    let limits = each.filter_map(|period| {
        let mut caps = caps(contract.limits().of(period));
        let text = match caps.len() {
            0 => return None,
            1 => format!("{}: {}.", whose(period), caps.remove(0)),
            _ => format!("{}:", whose(period)),
        };
        Some(Sentence {
            rule: None,
            text,
            conditions: caps,
            more: Vec::new(),
        })
    });
    limits
        .chain(plain(sums::sums(contract, catalogue)))
        .collect()
}

/// Describes the scope of a period in words.
pub(crate) fn whose(period: Period) -> &'static str {
    match period {
        Period::Task => "One task",
        Period::Hour => "All tasks together in one hour",
        Period::Day => "All tasks together in one day",
        Period::Contract => "All tasks together, as long as the contract holds",
    }
}

/// Describes the limits of a period, one phrase each.
pub(crate) fn caps(caps: &PeriodLimits) -> Vec<String> {
    let PeriodLimits {
        tasks,
        calls,
        wall_ms,
        output_bytes,
        tokens,
        bytes_out,
        messages,
        spend,
        tools,
    } = caps;
    let mut each = Vec::new();
    if let Some(tasks) = tasks {
        each.push(format!("at most {}", counted(*tasks, "task", "tasks")));
    }
    if let Some(calls) = calls {
        each.push(format!("at most {}", counted(*calls, "call", "calls")));
    }
    if let Some(ms) = wall_ms {
        each.push(format!("at most {} of running time", duration(*ms)));
    }
    if let Some(most) = output_bytes {
        each.push(format!("at most {} of results", bytes(*most)));
    }
    if let Some(tokens) = tokens {
        each.push(format!(
            "at most {} of a model",
            counted(*tokens, "token", "tokens")
        ));
    }
    if let Some(most) = bytes_out {
        each.push(format!("at most {} that leave", bytes(*most)));
    }
    if let Some(messages) = messages {
        let calls = counted(*messages, "call", "calls");
        each.push(format!("at most {calls} that let something leave"));
    }
    if !spend.is_empty() {
        each.push(format!("at most {}, and no other money", moneys(spend)));
    }
    for (tool, limit) in tools {
        let calls = counted(limit.calls, "call", "calls");
        each.push(format!("at most {calls} of `{tool}`"));
    }
    each
}

/// Describes the implicit rules of every contract.
fn besides(contract: &Contract, catalogue: &Catalogue) -> Vec<String> {
    let permits = |rule: &&Rule| !matches!(rule.kind, RuleKind::Deny);
    let can = |is: fn(&Tool) -> bool| {
        contract.rules().filter(permits).any(|rule| {
            let mut tools = catalogue.tools();
            tools.any(|tool| rule.tool.matches(tool.name().as_str()) && is(tool))
        })
    };
    let outward = can(|tool| tool.effects().most().leaves());
    let tells = can(|tool| tool.effects().include(Effect::Tell));
    let mut texts = vec![
        "Whatever is not named above is refused.".to_owned(),
        "What it may never do comes first. What it may do after a yes comes before what it may do by itself."
            .to_owned(),
        "Sometimes it cannot be told whether a rule is about a call: a value is missing, or has an odd form. Then the \
         rule permits nothing, and a call that it forbids or asks about is refused."
            .to_owned(),
    ];
    let patterned = |rule: &Rule| sentence(rule, contract, catalogue).contains(" like \"");
    if contract.rules().any(patterned) {
        texts.push(
            "In a pattern, `*` stands for any characters. In the pattern of a path, `*` stands for the characters of one \
             name, and `**` for any names."
                .to_owned(),
        );
    }
    if outward {
        texts.push(
            "Once the task has read what anybody may have written, a call that sends something out or is hard to undo \
             waits for the owner's yes. It does not wait if the contract, the owner's own words or trusted results leave \
             each argument only one possible value, or if its rule says otherwise."
                .to_owned(),
        );
        if tells {
            texts.push(
                "A call that only tells something to a host that the contract names does not wait, unless its rule says so."
                    .to_owned(),
            );
        }
        texts.push(
            "Once the task has read a secret, a call that sends something out is refused, unless its rule says \
             otherwise."
                .to_owned(),
        );
    }
    texts
}

/// Describes the tools of the rules, with the descriptions of the catalogue.
fn catalogued(contract: &Contract, catalogue: &Catalogue) -> Vec<Sentence> {
    let about = |tool: &&Tool| {
        let name = tool.name().as_str();
        contract.rules().any(|rule| rule.tool.matches(name))
    };
    let named = catalogue.tools().filter(about).map(|tool| {
        let does = match (tool.effects().some.is_empty(), tool.effects().most()) {
            (true, Effect::Read) => "It changes nothing.",
            (true, Effect::Write) => "It changes something of the owner's.",
            (true, Effect::Tell) => {
                "It tells a host that the contract names something, and changes nothing there."
            }
            (true, Effect::Outward) => "It lets something leave.",
            (false, Effect::Tell | Effect::Outward) => "Some of its calls let something leave.",
            (false, Effect::Read | Effect::Write) => {
                "Some of its calls change something of the owner's."
            }
        };
        let Labels { integrity, secrecy } = tool.output();
        let output = match (integrity, secrecy) {
            (Integrity::Trusted, Secrecy::Public | Secrecy::Private) => "",
            (Integrity::Untrusted, Secrecy::Public | Secrecy::Private) => {
                " Anybody may have written what it returns."
            }
            (Integrity::Trusted, Secrecy::Secret) => " What it returns is secret.",
            (Integrity::Untrusted, Secrecy::Secret) => {
                " What it returns is secret, and anybody may have written it."
            }
        };
        let description = quoted(tool.description().trim());
        format!(
            "`{}` is described as {description}. {does}{output}{}",
            tool.name(),
            executed(tool)
        )
    });
    plain(named.collect())
}

/// Describes the request that a tool sends, or the files that it executes.
fn executed(tool: &Tool) -> String {
    if let Some(http) = tool.http() {
        let sends = format!(" It sends {} to {}.", http.method(), http.endpoint());
        let pages = http.pages().map(|pages| format!(" It {pages}."));
        let file = http.file_bytes_max().map(|max| {
            let max = bytes(max);
            format!(" It stores a file of up to {max} that the host sends.")
        });
        return sends + &pages.or(file).unwrap_or_default();
    }
    let Some(program) = tool.program() else {
        return String::new();
    };
    let digests = |(path, digest): (&str, &str)| format!("{} (SHA-256 {digest})", quoted(path));
    let files: Vec<String> = tool.files().map(digests).collect();
    if files.is_empty() {
        return format!(
            " It is meant to run {}, and does not run until the catalogue has its SHA-256.",
            quoted(program)
        );
    }
    let read = read_folders(tool);
    format!(
        " It runs {}, with exactly these bytes.{read}",
        joined(files, "and")
    )
}

/// Describes the folders outside of the workspace that a tool's program may read.
fn read_folders(tool: &Tool) -> String {
    let folders = tool.exec().and_then(|exec| exec.get("folders"));
    let folders = folders.and_then(Value::as_array).into_iter().flatten();
    let folders: Vec<String> = folders.filter_map(Value::as_str).map(quoted).collect();
    if folders.is_empty() {
        return String::new();
    }
    format!(
        " In every call it may also read everything in {}, which it cannot change.",
        joined(folders, "and")
    )
}

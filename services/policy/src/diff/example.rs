//! Looks for calls that two versions of a contract decide differently, by trying.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::sample::Samples;
use crate::budget::Shared;
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::decide::{Call, Verdict, decide};
use crate::flow::{Integrity, Labels, Secrecy};
use crate::json;
use crate::record::{Record, View};
use crate::rule::Rule;

/// Most calls that are decided for one entry, under both versions.
const TRIES_MAX: usize = 3000;
/// Most tools of one entry whose calls are tried.
const TOOLS_MAX: usize = 6;
/// Most times that one call is repeated.
const REPEATS_MAX: usize = 1001;

/// A call that the two versions decide differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// What is decided.
    #[serde(flatten)]
    pub tried: Tried,
    /// What the old version says.
    pub before: Outcome,
    /// What the new version says.
    pub after: Outcome,
}

/// A call in its circumstances, as a `[[test]]` of a contract says them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// The owner's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the task did before, each call with its tool, arguments, result and labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// How often this very call was granted, or approved, before.
    #[serde(skip_serializing_if = "is_zero")]
    pub times_before: usize,
    /// On whose behalf the task runs.
    pub principal: String,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Whether the moment matters.
    #[serde(skip)]
    pub(super) timed: bool,
}

/// An earlier call of the task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Earlier {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// What it returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The labels of what it returned.
    pub output: Labels,
}

/// What one version says to a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Outcome {
    /// `refused`, `ask` or `granted`.
    pub verdict: &'static str,
    /// The rule that decides.
    pub rule: String,
}

fn is_zero(times: &usize) -> bool {
    *times == 0
}

impl Outcome {
    fn of(verdict: &Verdict) -> Self {
        let (verdict, rule) = match verdict {
            Verdict::Granted { rule, .. } => ("granted", rule),
            Verdict::Ask { rule, .. } => ("ask", rule),
            Verdict::Refused { rule, .. } => ("refused", rule),
        };
        Self {
            verdict,
            rule: rule.to_string(),
        }
    }

    fn rank(&self) -> u8 {
        match self.verdict {
            "granted" => 2,
            "ask" => 1,
            _ => 0,
        }
    }
}

impl Example {
    /// Whether the new version permits more of it.
    fn permits_more(&self) -> bool {
        self.after.rank() > self.before.rank()
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        let Tried {
            tool,
            args,
            text,
            earlier,
            times_before,
            ..
        } = &self.tried;
        let said = match (self.before.verdict, self.after.verdict) {
            (_, "refused") => "no longer allowed",
            ("refused", "ask") => "becomes allowed after a yes",
            ("ask", "granted") => "becomes allowed without asking",
            ("granted", "ask") => "is asked about now",
            _ => "becomes allowed",
        };
        let args = Value::Object(args.clone());
        let args = String::from_utf8_lossy(&json::canonical(&args)).into_owned();
        let mut around = Vec::new();
        if self.tried.timed {
            let at = Timestamp::from_millisecond(self.tried.at_ms).unwrap_or_default();
            around.push(format!("at {at}"));
        }
        if *times_before > 0 {
            around.push(format!("after {times_before} such calls"));
        }
        around.extend(earlier.iter().map(|one| {
            let labels = one.output;
            let seen = match (labels.integrity, labels.secrecy) {
                (_, Secrecy::Secret) => ", whose result is secret",
                (Integrity::Untrusted, _) => ", whose result anybody may have written",
                (Integrity::Trusted, _) => "",
            };
            format!("after `{}`{seen}", one.tool)
        }));
        if text.is_some() {
            around.push("in a task whose words name it".to_owned());
        }
        let around = if around.is_empty() {
            String::new()
        } else {
            format!(" {}", around.join(", "))
        };
        let (before, after) = (&self.before, &self.after);
        format!(
            "{said}: {tool} {args}{around}: {} by `{}` → {} by `{}`",
            before.verdict, before.rule, after.verdict, after.rule
        )
    }
}

/// Two versions, and how many tries are left.
struct Search<'a> {
    old: &'a Contract,
    new: &'a Contract,
    catalogue: &'a Catalogue,
    left: usize,
    /// The check that has to take part in an example.
    check: Option<String>,
    /// At most one that permits more, and one that permits less.
    found: Vec<Example>,
}

/// Calls that differ because of a rule of the one version, of the other, or of both.
pub(super) fn of_rules(
    (old, before): (&Contract, Option<&Rule>),
    (new, after): (&Contract, Option<&Rule>),
    catalogue: &Catalogue,
    tools: &[&str],
) -> Vec<Example> {
    let mut search = Search::new(old, new, catalogue);
    let aims: Vec<&Rule> = after.into_iter().chain(before).collect();
    for tool in tools.iter().take(TOOLS_MAX) {
        for aim in aims.iter().filter(|aim| aim.tool.matches(tool)) {
            search.about(tool, Some(aim));
        }
    }
    search.found
}

/// Calls that differ because of a limit or of the head.
pub(super) fn of_check(
    old: &Contract,
    new: &Contract,
    catalogue: &Catalogue,
    check: &str,
    tools: &[&str],
) -> Vec<Example> {
    let mut search = Search::new(old, new, catalogue);
    search.check = Some(check.to_owned());
    for tool in tools {
        let aims: Vec<&Rule> = old.about(tool).chain(new.about(tool)).collect();
        for aim in aims {
            if check.starts_with("limits.") {
                search.repeated(tool, aim);
            } else {
                search.at_the_edges(tool, aim);
            }
        }
    }
    search.found
}

impl<'a> Search<'a> {
    fn new(old: &'a Contract, new: &'a Contract, catalogue: &'a Catalogue) -> Self {
        Self {
            old,
            new,
            catalogue,
            left: TRIES_MAX,
            check: None,
            found: Vec::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.left == 0 || self.found.len() >= 2
    }

    /// A moment at which both versions hold, if there is one.
    fn usual_ms(&self) -> i64 {
        let starts = [self.old, self.new].map(|one| one.starts_ms().unwrap_or(0));
        let ends = [self.old, self.new].map(|one| one.expires_ms().saturating_sub(1));
        let start = starts.into_iter().max().unwrap_or(0);
        let end = ends.into_iter().min().unwrap_or(start);
        // A working day of this age, so that conditions on the time of the day have both sides.
        start.max(NOON_MS).min(end)
    }

    fn principal(&self) -> String {
        let both = |one: &&String| self.new.principals().contains(*one);
        let mut old = self.old.principals().iter();
        let first = self.old.principals().first();
        old.find(both).or(first).cloned().unwrap_or_default()
    }

    fn samples(&self, tool: &str) -> Option<Samples<'a>> {
        let tool = self.catalogue.get(tool)?;
        let rules = self.old.about(tool.name().as_str());
        let rules = rules.chain(self.new.about(tool.name().as_str()));
        Some(Samples::new(tool, rules.collect(), self.usual_ms()))
    }

    /// Tries calls near those that a rule describes.
    fn about(&mut self, tool: &str, aim: Option<&Rule>) {
        let Some(samples) = self.samples(tool) else {
            return;
        };
        let base = samples.fitting(aim);
        let timed = samples.reads_time();
        for (place, args) in samples.near(&base).into_iter().enumerate() {
            let plain = self.tried(tool, args, &samples);
            for (at, tried) in circumstances(plain).into_iter().enumerate() {
                // What was seen before matters to few: it is tried with the first calls alone.
                if at > 0 && place > 40 {
                    continue;
                }
                self.run(&tried);
                for hour in (0..24).filter(|_| timed && place < 4) {
                    let mut tried = tried.clone();
                    tried.at_ms = tried.at_ms.saturating_add(hour * HOUR_MS + 1);
                    tried.timed = true;
                    self.run(&tried);
                }
            }
            if self.is_over() {
                return;
            }
        }
        if let Some(aim) = aim {
            self.repeated(tool, aim);
        }
    }

    /// Tries one call at the first and the last moments of both versions, and for each principal of them.
    fn at_the_edges(&mut self, tool: &str, aim: &Rule) {
        let Some(samples) = self.samples(tool) else {
            return;
        };
        let plain = self.tried(tool, samples.fitting(Some(aim)), &samples);
        let edges = [self.old, self.new].into_iter().flat_map(|one| {
            let starts = one.starts_ms();
            let starts = starts.into_iter().flat_map(|ms| [ms.saturating_sub(1), ms]);
            starts.chain([one.expires_ms().saturating_sub(1), one.expires_ms()])
        });
        let mut edges: Vec<i64> = edges.collect();
        edges.sort_unstable();
        for at_ms in edges {
            let (timed, plain) = (true, plain.clone());
            self.run(&Tried {
                at_ms,
                timed,
                ..plain
            });
        }
        let all = self.old.principals().iter().chain(self.new.principals());
        for principal in all.cloned().collect::<Vec<_>>() {
            // Whoever is named by kind is tried under a name that nobody else has.
            let named = format!("{principal}:somebody");
            let names = if principal.contains(':') {
                vec![principal]
            } else {
                vec![principal, named]
            };
            for principal in names {
                let plain = plain.clone();
                self.run(&Tried { principal, ..plain });
            }
        }
    }

    /// Repeats one call until the versions differ.
    fn repeated(&mut self, tool: &str, aim: &Rule) {
        let Some(samples) = self.samples(tool) else {
            return;
        };
        let tried = self.tried(tool, samples.fitting(Some(aim)), &samples);
        let mut before = Before::new(self.old, self.catalogue, &tried);
        let mut after = Before::new(self.new, self.catalogue, &tried);
        for times_before in 0..REPEATS_MAX {
            if self.is_over() {
                return;
            }
            self.left -= 1;
            let (one, other) = (before.say(&tried), after.say(&tried));
            if one.rank() == 0 && other.rank() == 0 {
                return;
            }
            let timed = false;
            self.note(
                Tried {
                    times_before,
                    timed,
                    ..tried.clone()
                },
                one,
                other,
            );
        }
    }

    fn tried(&self, tool: &str, args: Map<String, Value>, samples: &Samples<'_>) -> Tried {
        let (text, earlier) = samples.past(self.catalogue, &args);
        Tried {
            tool: tool.to_owned(),
            args,
            text,
            earlier,
            times_before: 0,
            principal: self.principal(),
            at_ms: self.usual_ms(),
            timed: false,
        }
    }

    fn run(&mut self, tried: &Tried) {
        if self.is_over() {
            return;
        }
        self.left -= 1;
        let before = Before::new(self.old, self.catalogue, tried).say(tried);
        let after = Before::new(self.new, self.catalogue, tried).say(tried);
        self.note(tried.clone(), before, after);
    }

    fn note(&mut self, tried: Tried, before: Outcome, after: Outcome) {
        let check = self.check.as_ref();
        if check.is_some_and(|check| before.rule != *check && after.rule != *check) {
            return;
        }
        let example = Example {
            tried,
            before,
            after,
        };
        let known = |one: &Example| one.permits_more() == example.permits_more();
        if example.before.rank() != example.after.rank() && !self.found.iter().any(known) {
            self.found.push(example);
        }
    }
}

/// An hour in milliseconds.
const HOUR_MS: i64 = 60 * 60 * 1000;
/// A moment of no importance: 2026-06-01T12:00:00Z.
const NOON_MS: i64 = 1_780_315_200_000;

/// A call without a past, with the one that it needs, and with one that tainted the task.
fn circumstances(needed: Tried) -> Vec<Tried> {
    let tainted = |labels: Labels| {
        let mut tried = needed.clone();
        let last = tried.earlier.last().cloned();
        let first = last.unwrap_or_else(|| Earlier {
            tool: tried.tool.clone(),
            args: Map::new(),
            result: None,
            output: labels,
        });
        tried.earlier.push(Earlier {
            output: labels,
            args: Map::new(),
            result: None,
            ..first
        });
        tried
    };
    let untrusted = Labels {
        integrity: Integrity::Untrusted,
        secrecy: Secrecy::Public,
    };
    let secret = Labels {
        integrity: Integrity::Trusted,
        secrecy: Secrecy::Secret,
    };
    let (untrusted, secret) = (tainted(untrusted), tainted(secret));
    let alone = Tried {
        text: None,
        earlier: Vec::new(),
        ..needed.clone()
    };
    vec![alone, needed, untrusted, secret]
}

/// What is on record of a task under one version.
struct Before<'a> {
    contract: &'a Contract,
    catalogue: &'a Catalogue,
    record: Record,
    shared: Shared,
}

impl<'a> Before<'a> {
    fn new(contract: &'a Contract, catalogue: &'a Catalogue, tried: &Tried) -> Self {
        let record = Record::new(tried.principal.clone(), tried.text.clone());
        let mut before = Self {
            contract,
            catalogue,
            record,
            shared: Shared::default(),
        };
        for one in &tried.earlier {
            // What stands here happened; what the contract permits of it counts.
            before.decide(&one.tool, &one.args, tried.at_ms);
            let started = before.record.start(&one.tool, one.args.clone(), one.output);
            before.record.succeed(&started, one.result.clone());
        }
        before
    }

    /// The verdict on a call, which counts when it permits it.
    fn say(&mut self, tried: &Tried) -> Outcome {
        Outcome::of(&self.decide(&tried.tool, &tried.args, tried.at_ms))
    }

    fn decide(&mut self, tool: &str, args: &Map<String, Value>, now_ms: i64) -> Verdict {
        let bytes = json::canonical(&Value::Object(args.clone()));
        let view = View {
            now_ms,
            record: &self.record,
            shared: &self.shared,
        };
        let call = Call { tool, args: &bytes };
        let verdict = decide(self.contract, self.catalogue, &view, &call);
        if let Verdict::Granted { rule, reserve, .. } | Verdict::Ask { rule, reserve, .. } =
            &verdict
        {
            self.record.used.reserve(rule, reserve);
            self.shared.reserve(now_ms, rule, reserve);
        }
        verdict
    }
}

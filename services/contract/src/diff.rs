//! Compares two versions of a contract, rule by rule, with the tests that they decide differently.

mod text;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::bound::Bound;
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::known::KnownSet;
use crate::labels::{Integrity, Secrecy};
use crate::limits::PeriodLimits;
use crate::name::rule_id;
use crate::rule::{OWNER, Rule, RuleKind};
use crate::show;
use crate::slot_rule::SlotRule;
use crate::test_call::{Earlier, TestCall};
use crate::usage::Period;
use crate::verdict::Verdict;
use bus_schema::json;

/// The differences between two versions of a contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The differences that can affect verdicts; empty if both versions decide every call in the same way.
    pub entries: Vec<Difference>,
    /// Tests of the two versions that they decide differently.
    pub calls: Vec<ChangedCall>,
    /// The differences that do not affect verdicts.
    pub notes: Vec<String>,
}

/// One rule, limit or line of the head that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The kind of change.
    pub change: ChangeKind,
    /// The rule or built-in check, by its name in verdicts.
    pub rule: String,
    /// The affected tools; empty means all.
    pub tools: Vec<String>,
    /// The old meaning, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The new meaning, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The removed lines of the contract.
    pub removed: Vec<String>,
    /// The added lines of the contract.
    pub added: Vec<String>,
}

/// A call of a test that the two versions decide differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedCall {
    /// The call.
    #[serde(flatten)]
    pub call: TestCall,
    /// The verdict of the old version.
    pub before: TestVerdict,
    /// The verdict of the new version.
    pub after: TestVerdict,
}

/// The verdict of one version on a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestVerdict {
    /// `refused`, `ask` or `granted`.
    pub verdict: &'static str,
    /// The rule that decides.
    pub rule: String,
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Only the new version has it.
    Added,
    /// Only the old version has it.
    Removed,
    /// Both versions have it, with different content.
    Changed,
}

impl ChangeKind {
    /// The kind in words, for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// Compares `new` with `old`, both parsed against `catalogue`.
///
/// The result may contain more than needed, never less: if the versions decide a call differently on the same record,
/// some entry is about its tool and about a rule or check that takes part in one of the verdicts. A call that another
/// rule permits counts under that rule, which may change the quotas of later calls.
#[must_use]
pub fn diff(old: &Contract, new: &Contract, catalogue: &Catalogue) -> Diff {
    let mut found = Differ {
        old,
        new,
        catalogue,
        entries: Vec::new(),
        notes: Vec::new(),
    };
    found.head();
    found.task();
    found.slots();
    found.limits();
    found.rules();
    let Differ { entries, notes, .. } = found;
    Diff {
        entries,
        calls: changed_calls(old, new, catalogue),
        notes,
    }
}

/// Decides the tests of both versions with both versions, and returns those that differ.
fn changed_calls(old: &Contract, new: &Contract, catalogue: &Catalogue) -> Vec<ChangedCall> {
    let mut calls: Vec<&TestCall> = Vec::new();
    for call in old.tests.iter().chain(&new.tests) {
        if !calls.contains(&call) {
            calls.push(call);
        }
    }
    let decided = calls.into_iter().map(|call| ChangedCall {
        call: call.clone(),
        before: TestVerdict::of(&call.decide(old, catalogue)),
        after: TestVerdict::of(&call.decide(new, catalogue)),
    });
    decided
        .filter(|call| call.before.verdict != call.after.verdict)
        .collect()
}

impl TestVerdict {
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
}

impl ChangedCall {
    /// Formats the call as one line.
    fn text(&self) -> String {
        let (before, after) = (&self.before, &self.after);
        let change = match (before.verdict, after.verdict) {
            (_, "refused") => "no longer allowed",
            ("refused", "ask") => "becomes allowed after a yes",
            ("ask", "granted") => "becomes allowed without asking",
            ("granted", "ask") => "is asked about now",
            _ => "becomes allowed",
        };
        let args = json::canonical(&Value::Object(self.call.args.clone()));
        let args = String::from_utf8_lossy(&args);
        let earlier: String = self.call.earlier.iter().map(after_call).collect();
        format!(
            "{change}: {} {args}{earlier}: {} by `{}` → {} by `{}`",
            self.call.tool, before.verdict, before.rule, after.verdict, after.rule
        )
    }
}

fn after_call(earlier: &Earlier) -> String {
    let labels = earlier.output;
    let seen = match (labels.integrity, labels.secrecy) {
        (_, Secrecy::Secret) => ", whose result is secret",
        (Integrity::Untrusted, _) => ", whose result anybody may have written",
        (Integrity::Trusted, _) => "",
    };
    format!(" after `{}`{seen}", earlier.tool)
}

struct Differ<'a> {
    old: &'a Contract,
    new: &'a Contract,
    catalogue: &'a Catalogue,
    entries: Vec<Difference>,
    notes: Vec<String>,
}

impl Differ<'_> {
    fn head(&mut self) {
        let (old, new) = (self.old, self.new);
        for (what, before, after) in [
            ("purpose", old.purpose(), new.purpose()),
            ("owner", old.owner(), new.owner()),
            ("contract", old.name().as_str(), new.name().as_str()),
        ] {
            if before != after {
                self.notes
                    .push(format!("`{what}` was {before:?} and is {after:?}"));
            }
        }
        if old.version() != new.version() {
            let (before, after) = (old.version(), new.version());
            self.notes
                .push(format!("`version` was {before} and is {after}"));
        }
        if old.starts_ms() != new.starts_ms() {
            let said = |contract: &Contract| contract.starts_ms().map(show::starts);
            self.check("starts", said(old), said(new));
        }
        if old.expires_ms() != new.expires_ms() {
            let said = |contract: &Contract| Some(show::expires(contract.expires_ms()));
            self.check("expired", said(old), said(new));
        }
        if old.zone() != new.zone() {
            let said = |contract: &Contract| Some(show::zone(contract.zone()));
            self.check("zone", said(old), said(new));
        }
        for (check, said) in show::folders::CHECKS {
            let (before, after) = (said(old.folders()), said(new.folders()));
            if before != after {
                self.check(check, before, after);
            }
        }
        for (check, said) in show::reach::CHECKS {
            let (before, after) = (said(old.reach()), said(new.reach()));
            if before != after {
                self.check(check, before, after);
            }
        }
        if old.principals() != new.principals() {
            let said = |contract: &Contract| {
                let who = contract.principals().iter().map(|one| show::principal(one));
                Some(format!(
                    "it is for {}",
                    who.collect::<Vec<_>>().join(" and ")
                ))
            };
            self.check("principal", said(old), said(new));
        }
    }

    /// Compares the text of the only tasks that the versions are for.
    fn task(&mut self) {
        let (old, new) = (self.old.task(), self.new.task());
        if old != new {
            let said = |text: Option<&str>| text.map(show::only_task);
            self.check("task.text", said(old), said(new));
        }
    }

    /// Compares the values that a person fills in with each task.
    fn slots(&mut self) {
        let (old, new) = (&self.old.slots, &self.new.slots);
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let (before, after) = (old.get(name), new.get(name));
            if before != after {
                let said = |rule: Option<&SlotRule>| rule.map(SlotRule::sentence);
                self.check("task.slots", said(before), said(after));
            }
        }
    }

    /// Adds an entry about a built-in check.
    fn check(&mut self, rule: &str, before: Option<String>, after: Option<String>) {
        let change = match (&before, &after) {
            (None, Some(_)) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(_), Some(_)) | (None, None) => ChangeKind::Changed,
        };
        self.entries.push(Difference {
            change,
            rule: rule.to_owned(),
            tools: Vec::new(),
            before,
            after,
            removed: Vec::new(),
            added: Vec::new(),
        });
    }

    fn limits(&mut self) {
        for period in Period::ALL {
            let (before, after) = (self.old.limits().of(period), self.new.limits().of(period));
            for (key, only) in ONLY {
                let (before, after) = (only(before), only(after));
                if before == after {
                    continue;
                }
                let rule = match period {
                    Period::Task => format!("limits.{key}"),
                    Period::Hour | Period::Day | Period::Contract => {
                        format!("limits.{}.{key}", period.word())
                    }
                };
                let said = |caps: &PeriodLimits| {
                    let each = show::caps(caps);
                    let whose = show::whose(period);
                    (!each.is_empty()).then(|| format!("{whose}: {}", each.join(" and ")))
                };
                self.check(&rule, said(&before), said(&after));
            }
        }
    }

    fn rules(&mut self) {
        let mut old: Vec<&Rule> = self.old.rules().collect();
        let mut new: Vec<&Rule> = self.new.rules().collect();
        let (before, after) = (self.old, self.new);
        let same = |a: &Rule, b: &Rule| says_the_same((a, before), (b, after));
        take_pairs(&mut old, &mut new, |a, b| a.id == b.id && same(a, b));
        for (a, b) in take_pairs(&mut old, &mut new, same) {
            // Usage is counted by the name of the rule.
            let note = format!("`{}` is called `{}` now, and counts anew", a.id, b.id);
            self.notes.push(note);
        }
        for (a, b) in take_pairs(&mut old, &mut new, |a, b| a.id == b.id) {
            self.rule(Some(a), Some(b));
        }
        for rule in old {
            self.rule(Some(rule), None);
        }
        for rule in new {
            self.rule(None, Some(rule));
        }
    }

    fn rule(&mut self, old: Option<&Rule>, new: Option<&Rule>) {
        let either = || old.into_iter().chain(new);
        let about = |name: &&str| either().any(|rule| rule.tool.matches(name));
        let tools: Vec<&str> = self
            .catalogue
            .tools()
            .map(|tool| tool.name().as_str())
            .filter(about)
            .collect();
        let change = match (old, new) {
            (None, _) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        // A set of values that both rules name has to be compared where it is written.
        let sets_differ = known(old) != known(new);
        let lines = |rule: Option<&Rule>| -> Vec<String> {
            let text = rule.map(Rule::to_string).unwrap_or_default();
            let sets = known(rule).into_iter().filter(|_| sets_differ);
            let sets = sets.flat_map(KnownSet::lines);
            text.lines().map(str::to_owned).chain(sets).collect()
        };
        let (before, after) = (lines(old), lines(new));
        let alone = |own: &[String], other: &[String]| -> Vec<String> {
            own.iter()
                .filter(|line| !other.contains(line))
                .cloned()
                .collect()
        };
        let (removed, added) = match change {
            ChangeKind::Changed => (alone(&before, &after), alone(&after, &before)),
            ChangeKind::Added | ChangeKind::Removed => (before, after),
        };
        let sentence = |rule: Option<&Rule>, contract: &Contract| {
            rule.map(|rule| {
                let sets = known(Some(rule)).into_iter().filter(|_| sets_differ);
                let sets = sets.map(|set| format!(" {}", show::words::known(set)));
                let sentence = show::sentence(rule, contract, self.catalogue);
                format!("{sentence}{}", sets.collect::<String>())
            })
        };
        let name = either()
            .next()
            .map_or_else(|| rule_id("default"), |rule| rule.id.clone());
        self.entries.push(Difference {
            change,
            rule: name.to_string(),
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
            before: sentence(old, self.old),
            after: sentence(new, self.new),
            removed,
            added,
        });
    }
}

/// The known sets that a rule is about.
fn known(rule: Option<&Rule>) -> Vec<&KnownSet> {
    rule.map(Rule::known).unwrap_or_default()
}

/// A function that keeps only one limit.
type Only = fn(&PeriodLimits) -> PeriodLimits;

/// The limits by key.
const ONLY: [(&str, Only); 9] = [
    ("tasks", |caps| PeriodLimits {
        tasks: caps.tasks,
        ..PeriodLimits::default()
    }),
    ("calls", |caps| PeriodLimits {
        calls: caps.calls,
        ..PeriodLimits::default()
    }),
    ("wall_time", |caps| PeriodLimits {
        wall_ms: caps.wall_ms,
        ..PeriodLimits::default()
    }),
    ("output_bytes", |caps| PeriodLimits {
        output_bytes: caps.output_bytes,
        ..PeriodLimits::default()
    }),
    ("tokens", |caps| PeriodLimits {
        tokens: caps.tokens,
        ..PeriodLimits::default()
    }),
    ("spend", |caps| PeriodLimits {
        spend: caps.spend.clone(),
        ..PeriodLimits::default()
    }),
    ("bytes_out", |caps| PeriodLimits {
        bytes_out: caps.bytes_out,
        ..PeriodLimits::default()
    }),
    ("tools", |caps| PeriodLimits {
        tools: caps.tools.clone(),
        ..PeriodLimits::default()
    }),
    ("messages", |caps| PeriodLimits {
        messages: caps.messages,
        ..PeriodLimits::default()
    }),
];

/// Returns true if two rules are equal except for their names; the keys of roles that can approve are compared, too.
fn says_the_same((a, old): (&Rule, &Contract), (b, new): (&Rule, &Contract)) -> bool {
    let nameless = |rule: &Rule| Rule {
        id: rule_id("default"),
        ..rule.clone()
    };
    let roles = |rule: &Rule| -> BTreeSet<String> {
        match &rule.kind {
            RuleKind::Ask(question) => {
                let later = question.escalate.iter().map(|later| later.role.clone());
                later.chain([question.role.clone()]).collect()
            }
            RuleKind::Allow | RuleKind::Deny => BTreeSet::new(),
        }
    };
    let keys = |contract: &Contract, role: &str| {
        let role = contract.roles().get(role);
        role.map(|role| role.keys.iter().copied().collect::<BTreeSet<_>>())
    };
    let zone = old.zone() == new.zone() || !a.bounds.values().any(Bound::reads_words);
    let same = |role: &String| role == OWNER || keys(old, role) == keys(new, role);
    zone && nameless(a) == nameless(b) && roles(a).iter().all(same)
}

/// Removes matching pairs from both lists, each item once.
fn take_pairs<'r>(
    old: &mut Vec<&'r Rule>,
    new: &mut Vec<&'r Rule>,
    pair: impl Fn(&Rule, &Rule) -> bool,
) -> Vec<(&'r Rule, &'r Rule)> {
    let mut pairs = Vec::new();
    old.retain(|a| match new.iter().position(|b| pair(a, b)) {
        Some(at) => {
            pairs.push((*a, new.remove(at)));
            false
        }
        None => true,
    });
    pairs
}

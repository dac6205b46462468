//! Finds rules that no call can ever match, and keys that never have an effect.

pub(crate) mod possible;
pub(crate) mod text;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use self::possible::{Around, Reason};
use crate::after::After;
use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::bound::matching::CallContext;
use crate::catalogue::{Catalogue, Effect, Risk, Tool};
use crate::limits::Limits;
use crate::record::{Record, View};
use crate::rule::{Rule, RuleKind};
use crate::schema::domain::Domain;
use crate::slot_rule::SlotRules;
use crate::usage::{ContractTotals, Period};

static NO_RECORD: LazyLock<Record> = LazyLock::new(Record::default);
static NO_TOTALS: LazyLock<ContractTotals> = LazyLock::new(ContractTotals::default);
static NO_ARGS: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// The part of a rule that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole rule.
    Whole,
    /// The bound on this argument.
    Bound(String),
    /// This key.
    Key(&'static str),
}

/// A part of a rule that never matches or never has an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    /// The place of the rule in the list.
    pub(crate) rule: usize,
    pub(crate) part: Part,
    pub(crate) reason: Reason,
}

type Finding = (Part, Reason);

/// Returns every allow and ask that no call can match, and every key of them that never has an effect.
pub(crate) fn find(
    rules: &[&Rule],
    (limits, slots): (&Limits, &SlotRules),
    catalogue: &Catalogue,
) -> Vec<Dead> {
    let mut analysis = Analysis {
        rules,
        slots,
        catalogue,
        permitted: BTreeSet::new(),
    };
    let mut dead = analysis.settle();
    for (at, rule) in rules.iter().enumerate() {
        let idle = idle(rule, limits, catalogue).into_iter();
        dead.extend(idle.map(|(part, reason)| Dead {
            rule: at,
            part,
            reason,
        }));
    }
    dead.sort_by_key(|one| one.rule);
    dead
}

struct Analysis<'c> {
    rules: &'c [&'c Rule],
    slots: &'c SlotRules,
    catalogue: &'c Catalogue,
    /// The tools with a call that a rule can permit, as far as is known.
    permitted: BTreeSet<String>,
}

impl Analysis<'_> {
    /// Adds the tools of rules that can match until no more are added, and returns the rules that cannot.
    fn settle(&mut self) -> Vec<Dead> {
        let permits = |at: &usize| {
            let rule = self.rules.get(*at);
            rule.is_some_and(|rule| rule.kind != RuleKind::Deny)
        };
        let mut waiting: Vec<usize> = (0..self.rules.len()).filter(permits).collect();
        loop {
            let before = self.permitted.len();
            let mut dead = Vec::new();
            // A rule about several tools may become live for more of them.
            let mut later = Vec::new();
            for at in waiting {
                let Some(rule) = self.rules.get(at) else {
                    continue;
                };
                let (live, reason) = self.tools(rule);
                if let Some((part, reason)) = reason {
                    later.push(at);
                    if live.is_empty() {
                        dead.push(Dead {
                            rule: at,
                            part,
                            reason,
                        });
                    }
                }
                self.permitted.extend(live);
            }
            if self.permitted.len() == before {
                return dead;
            }
            waiting = later;
        }
    }

    /// Returns the tools of which the rule can match a call, and the reason of the first of which it cannot.
    fn tools(&self, rule: &Rule) -> (Vec<String>, Option<Finding>) {
        let (mut live, mut first) = (Vec::new(), None);
        let about = self.catalogue.tools();
        for tool in about.filter(|tool| rule.tool.matches(tool.name().as_str())) {
            match self.reason(rule, tool) {
                None => live.push(tool.name().to_string()),
                Some(reason) => drop(first.get_or_insert(reason)),
            }
        }
        (live, first)
    }

    /// Returns why the rule matches no call of the tool, or never decides one.
    fn reason(&self, rule: &Rule, tool: &Tool) -> Option<Finding> {
        let name = tool.name().as_str();
        let mut others = self.rules.iter();
        let denies = |other: &&&Rule| {
            other.kind == RuleKind::Deny && other.is_unconditional() && other.tool.matches(name)
        };
        if let Some(deny) = others.find(denies) {
            let problem = format!(
                "`{}` denies every call of `{name}`, so this rule never permits one",
                deny.id
            );
            return Some((
                Part::Whole,
                Reason::new(problem, "remove this rule, or narrow the deny"),
            ));
        }
        let arguments = tool.arguments().domain();
        let around = Around {
            tool,
            arguments: &arguments,
            catalogue: self.catalogue,
            permitted: &self.permitted,
            nothing: CallContext {
                tool: name,
                args: &NO_ARGS,
                schema: tool.arguments(),
                view: View {
                    now_ms: 0,
                    record: &NO_RECORD,
                    shared: &NO_TOTALS,
                },
                zone: &TimeZone::UTC,
            },
        };
        let bounds = rule.bounds.iter().find_map(|(name, bound)| {
            let (domain, presence) = tool.arguments().place(name);
            let mut bound = Cow::Borrowed(bound);
            if !self.slots.is_empty() {
                bound.to_mut().add_bounds_of(self.slots);
            }
            let reason = bound.dead(&domain, presence, around)?;
            Some((Part::Bound(name.clone()), reason))
        });
        bounds
            .or_else(|| rule.only.then(|| unbounded(rule, &arguments, ""))?)
            .or_else(|| {
                let mut each = rule.after.iter();
                let reason = each.find_map(|after| {
                    after.dead(around).or_else(|| uncompared(rule, after, tool))
                })?;
                Some((Part::Key("after"), reason))
            })
    }
}

/// Returns the required argument that has no bound in a rule with `only`, if there is one in every alternative.
fn unbounded(rule: &Rule, domain: &Domain<'_>, path: &str) -> Option<Finding> {
    let mut first = None;
    for one in &domain.alternatives {
        let mut required = one.required();
        let lacking = required.find_map(|name| {
            let whole = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let below = format!("{whole}.");
            if rule.bounds.contains_key(&whole) {
                return None;
            }
            if rule.bounds.keys().any(|bound| bound.starts_with(&below)) {
                return unbounded(rule, &domain.field(name), &whole);
            }
            let problem = format!("every call has `{whole}`, and with `only` the rule takes none with an argument without bound");
            let fix = format!("add `where.{whole} = …`, or remove `only`");
            Some((Part::Key("only"), Reason::new(problem, fix)))
        });
        first.get_or_insert(lacking?);
    }
    first
}

/// Returns the argument that an earlier call compares and that no call of the rule has.
fn uncompared(rule: &Rule, after: &After, tool: &Tool) -> Option<Reason> {
    let lacks = |name: &&String| {
        let (domain, _) = tool.arguments().place(name);
        let below = format!("{name}.");
        let named = |bound: &String| {
            bound == *name || bound.starts_with(&below) || name.starts_with(&format!("{bound}."))
        };
        let none = match rule.bounds.get(*name) {
            Some(bound) => *bound == Bound::absent(),
            None => rule.only && !rule.bounds.keys().any(named),
        };
        none && !domain.has_null()
    };
    let name = after.equal.keys().find(lacks)?;
    let problem =
        format!("the rule takes no call with `{name}`, which is compared with the earlier call");
    Some(Reason::new(
        problem,
        format!("add a bound for `{name}` that a value matches"),
    ))
}

/// Returns the keys of a rule that never have an effect.
fn idle(rule: &Rule, limits: &Limits, catalogue: &Catalogue) -> Vec<Finding> {
    if rule.kind == RuleKind::Deny {
        return Vec::new();
    }
    let mut found = Vec::new();
    let any = |flows: &dyn Fn(&Tool) -> bool| {
        let mut tools = catalogue.tools();
        tools.any(|tool| rule.tool.matches(tool.name().as_str()) && flows(tool))
    };
    let flows = any(&|tool: &Tool| {
        tool.effects().most().leaves()
            || tool.effects().include(Effect::Write) && tool.risk() >= Some(Risk::Medium)
    });
    for (key, given) in [("untrusted", rule.untrusted), ("secret", rule.secret)] {
        if given.is_some() && !flows {
            let problem = format!(
                "`{key}` has no effect, because no call of the rule lets something leave or is a write of risk `medium` or `high`"
            );
            found.push((Part::Key(key), Reason::new(problem, "remove it")));
        }
    }
    for period in Period::ALL {
        let (own, whole) = (rule.quotas.of(period).calls, limits.of(period).calls);
        if let (Some(own), Some(whole)) = (own, whole)
            && own > whole
        {
            let key = match period {
                Period::Task => "calls",
                Period::Hour => "per_hour",
                Period::Day => "per_day",
                Period::Contract => "per_contract",
            };
            let problem = format!(
                "the limit of {whole} calls ends before this quota of {own}, so the quota has no effect"
            );
            let fix = format!("write at most {whole}, or raise `calls` in the limits");
            found.push((Part::Key(key), Reason::new(problem, fix)));
        }
    }
    found
}

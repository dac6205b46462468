//! Finds the smallest change of a contract after which a refused call is permitted, and checks
//! it by deciding again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bus_schema::RuleId;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::Offset;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::bounds::{Bound, Judgement, Operator, Scalar};
use crate::catalogue::Tool;
use crate::contract::{Contract, Matcher, Rule, RuleKind, key, rule_id};
use crate::decide::{CALL_OUTPUT_BYTES_MAX, CALL_WALL_MS_MAX, Code, Refusal, Task, weigh};

/// Longest change that is still worth reading, in bytes.
const FIX_BYTES_MAX: usize = 4096;
/// Characters up to which a text is bound exactly; a longer one is bound by its length.
const EXACT_CHARS_MAX: usize = 200;

/// A change of a contract, checked: with it, the call it was found for is granted or asked about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "String")]
pub struct Fix {
    change: Change,
    toml: String,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The snippet is a further rule.
    AddRule,
    /// The snippet replaces one bound.
    ReplaceBound {
        /// The rule that has it.
        rule: RuleId,
    },
    /// The snippet replaces the calls that a rule may permit.
    RaiseCalls {
        /// The rule.
        rule: RuleId,
    },
    /// The snippet replaces one limit.
    RaiseLimit,
    /// The snippet replaces the date of expiry.
    Extend,
    /// Each of these rules must take in less; there is no snippet.
    Narrow {
        /// All denies that stand in the way.
        rules: Vec<RuleId>,
    },
}

impl Fix {
    /// What changes.
    #[must_use]
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// The TOML to write; empty for [`Change::Narrow`].
    #[must_use]
    pub fn toml(&self) -> &str {
        &self.toml
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let toml = self.toml.trim_end();
        match &self.change {
            Change::AddRule => write!(f, "add to the contract:\n{toml}"),
            Change::ReplaceBound { rule } | Change::RaiseCalls { rule } => {
                write!(f, "in `{rule}`, write:\n{toml}")
            }
            Change::RaiseLimit => write!(f, "in `[limits]`, write:\n{toml}"),
            Change::Extend => write!(f, "write:\n{toml}"),
            Change::Narrow { rules } => {
                let rules: Vec<&str> = rules.iter().map(RuleId::as_str).collect();
                write!(
                    f,
                    "narrow `{}` so that this call is outside",
                    rules.join("` and `")
                )
            }
        }
    }
}

impl From<Fix> for String {
    fn from(fix: Fix) -> Self {
        fix.to_string()
    }
}

/// The call that was refused.
struct Refused<'a> {
    contract: &'a Contract,
    task: &'a Task,
    tool: &'a str,
    args: &'a Map<String, Value>,
    /// Whether the tool takes arguments that the call does not have.
    more: bool,
}

/// Finds the first change, smallest first, with which `weigh` permits the call.
pub(crate) fn find(
    contract: &Contract,
    task: &Task,
    tool: &Tool,
    args: &Map<String, Value>,
    refusal: &Refusal,
) -> Option<Fix> {
    let (more, tool) = (tool.arguments().others(args), tool.name().as_str());
    let call = Refused {
        contract,
        task,
        tool,
        args,
        more,
    };
    let permits = |(changed, fix): (Contract, Fix)| {
        let short = fix.toml.len() <= FIX_BYTES_MAX;
        (short && weigh(&changed, task, tool, args).is_ok()).then_some(fix)
    };
    match refusal.code {
        Code::NotAllowed => {
            let mut widened = call.widened();
            widened
                .find_map(permits)
                .or_else(|| call.added(RuleKind::Allow).and_then(permits))
        }
        Code::Denied => call.narrowed().and_then(permits),
        Code::Undecidable => {
            let narrowed = call.narrowed().and_then(permits);
            narrowed.or_else(|| call.asked(&refusal.rule).and_then(permits))
        }
        Code::RuleCalls => call.more_calls(&refusal.rule).and_then(permits),
        Code::Calls | Code::WallTime | Code::OutputBytes => {
            call.raised(refusal.code).and_then(permits)
        }
        Code::Expired => call.extended().and_then(permits),
        Code::UnknownTool | Code::Arguments | Code::Schema => None,
    }
}

impl Refused<'_> {
    /// For each rule that permits the tool and fails in one bound, ask first: the rule with this
    /// bound widened by the value of the call.
    fn widened(&self) -> impl Iterator<Item = (Contract, Fix)> {
        let rules = &self.contract.rules;
        let asks = rules
            .iter()
            .filter(|rule| matches!(rule.kind, RuleKind::Ask { .. }));
        let allows = rules.iter().filter(|rule| rule.kind == RuleKind::Allow);
        let about = asks
            .chain(allows)
            .filter(|rule| rule.tool.matches(self.tool));
        about.filter_map(|rule| {
            let [argument] = rule.failing(self.args)[..] else {
                return None;
            };
            let bound = widen(rule.bounds.get(argument)?, self.args.get(argument)?)?;
            let toml = format!("where.{} = {bound}", key(argument));
            let changed = self.replaced(&rule.id, |rule| {
                rule.bounds.insert(argument.to_owned(), bound);
            });
            let rule = rule.id.clone();
            Some((
                changed,
                Fix {
                    change: Change::ReplaceBound { rule },
                    toml,
                },
            ))
        })
    }

    /// A further rule for exactly this call; `None` when bounds cannot describe an argument.
    fn added(&self, kind: RuleKind) -> Option<(Contract, Fix)> {
        let exact = |(name, value): (&String, &Value)| Some((name.clone(), exactly(value)?));
        let bounds: Option<BTreeMap<_, _>> = self.args.iter().map(exact).collect();
        let word = kind.word();
        let same = self
            .contract
            .rules
            .iter()
            .filter(|rule| rule.kind.word() == word);
        let rule = Rule {
            id: rule_id(&format!("{word}.{}", same.count() + 1)),
            kind,
            tool: Matcher::Exact(self.tool.to_owned()),
            bounds: bounds?,
            only: self.more,
            calls: None,
        };
        let toml = rule.to_string();
        let mut changed = self.contract.clone();
        changed.rules.push(Arc::new(rule));
        Some((
            changed,
            Fix {
                change: Change::AddRule,
                toml,
            },
        ))
    }

    /// The question of the ask `id`, put about exactly this call.
    fn asked(&self, id: &RuleId) -> Option<(Contract, Fix)> {
        let rule = self.contract.rules.iter().find(|rule| rule.id == *id)?;
        match &rule.kind {
            RuleKind::Ask { .. } => self.added(rule.kind.clone()),
            RuleKind::Allow | RuleKind::Deny => None,
        }
    }

    /// The contract without the denies that describe the call, or might.
    fn narrowed(&self) -> Option<(Contract, Fix)> {
        let hits = |rule: &Rule| {
            rule.kind == RuleKind::Deny
                && rule.tool.matches(self.tool)
                && rule.judge(self.args) != Judgement::Outside
        };
        let mut changed = self.contract.clone();
        changed.rules.retain(|rule| !hits(rule));
        let hit = self.contract.rules.iter().filter(|rule| hits(rule));
        let rules: Vec<RuleId> = hit.map(|rule| rule.id.clone()).collect();
        let fix = Fix {
            change: Change::Narrow { rules },
            toml: String::new(),
        };
        (changed.rules.len() < self.contract.rules.len()).then_some((changed, fix))
    }

    fn more_calls(&self, id: &RuleId) -> Option<(Contract, Fix)> {
        let used = self.task.calls_by_rule.get(id).copied().unwrap_or_default();
        let calls = used.checked_add(1)?;
        let changed = self.replaced(id, |rule| rule.calls = Some(calls));
        let change = Change::RaiseCalls { rule: id.clone() };
        Some((
            changed,
            Fix {
                change,
                toml: format!("calls = {calls}"),
            },
        ))
    }

    /// One limit raised by what one call needs.
    fn raised(&self, code: Code) -> Option<(Contract, Fix)> {
        let mut changed = self.contract.clone();
        let limits = &mut changed.limits;
        let toml = if code == Code::Calls {
            limits.calls = self.task.calls.checked_add(1)?;
            format!("calls = {}", limits.calls)
        } else if code == Code::WallTime {
            let seconds = self
                .task
                .wall_ms
                .checked_add(CALL_WALL_MS_MAX)?
                .div_ceil(1000);
            limits.wall_ms = seconds.checked_mul(1000)?;
            format!("wall_time = \"{seconds}s\"")
        } else {
            limits.output_bytes = self.task.output_bytes.checked_add(CALL_OUTPUT_BYTES_MAX)?;
            format!("output_bytes = {}", limits.output_bytes)
        };
        Some((
            changed,
            Fix {
                change: Change::RaiseLimit,
                toml,
            },
        ))
    }

    /// The contract in force until the end of the day.
    fn extended(&self) -> Option<(Contract, Fix)> {
        let now = Timestamp::from_millisecond(self.task.now_ms).ok()?;
        let date = Offset::UTC.to_datetime(now).date();
        let midnight = date.tomorrow().ok()?.to_datetime(Time::midnight());
        let end = Offset::UTC.to_timestamp(midnight).ok()?;
        let mut changed = self.contract.clone();
        changed.expires_ms = end.as_millisecond();
        Some((
            changed,
            Fix {
                change: Change::Extend,
                toml: format!("expires = {date}"),
            },
        ))
    }

    fn replaced(&self, id: &RuleId, change: impl FnOnce(&mut Rule)) -> Contract {
        let mut changed = self.contract.clone();
        if let Some(rule) = changed.rules.iter_mut().find(|rule| rule.id == *id) {
            change(Arc::make_mut(rule));
        }
        changed
    }
}

/// The bound that takes in what `bound` does, and `value`; `None` for patterns.
fn widen(bound: &Bound, value: &Value) -> Option<Bound> {
    match bound {
        Bound::OneOf(set) => {
            let mut set = set.clone();
            set.push(Scalar::of(value)?);
            Some(Bound::OneOf(set))
        }
        Bound::All(operators) => {
            let each = operators.iter().map(|operator| {
                let alone = Bound::All(vec![operator.clone()]);
                if alone.judge(Some(value)) == Judgement::Within {
                    return Some(operator.clone());
                }
                widen_operator(operator, value)
            });
            each.collect::<Option<_>>().map(Bound::All)
        }
    }
}

fn widen_operator(operator: &Operator, value: &Value) -> Option<Operator> {
    match operator {
        Operator::Range { min, max } => {
            let value = value.as_i64()?;
            Some(Operator::Range {
                min: min.map(|min| min.min(value)),
                max: max.map(|max| max.max(value)),
            })
        }
        Operator::Length { min, max } => {
            let length = length(value)?;
            Some(Operator::Length {
                min: min.map(|min| min.min(length)),
                max: max.map(|max| max.max(length)),
            })
        }
        Operator::Every(bound) => {
            let outside = |item: &&Value| bound.judge(Some(item)) != Judgement::Within;
            let mut items = value.as_array()?.iter().filter(outside);
            // An item that the bound so far widened already takes in is not added twice.
            let widened = items.try_fold(bound.as_ref().clone(), |bound, item| {
                if bound.judge(Some(item)) == Judgement::Within {
                    return Some(bound);
                }
                widen(&bound, item)
            });
            widened.map(|bound| Operator::Every(Box::new(bound)))
        }
        Operator::Any(_) | Operator::Path(_) | Operator::Prefix(_) | Operator::Suffix(_) => None,
    }
}

/// The narrowest readable bound that takes in `value`.
fn exactly(value: &Value) -> Option<Bound> {
    let fixed = |length| Operator::Length {
        min: Some(length),
        max: Some(length),
    };
    match value {
        Value::String(text) if text.chars().count() > EXACT_CHARS_MAX => {
            Some(Bound::All(vec![fixed(length(value)?)]))
        }
        Value::Array(items) => {
            let mut all = vec![fixed(length(value)?)];
            let mut set: Vec<Scalar> = Vec::new();
            for item in items {
                let item = Scalar::of(item)?;
                if !set.contains(&item) {
                    set.push(item);
                }
            }
            if !set.is_empty() {
                all.push(Operator::Every(Box::new(Bound::OneOf(set))));
            }
            Some(Bound::All(all))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some(Bound::OneOf(vec![Scalar::of(value)?]))
        }
    }
}

/// Characters of a text, items of a list.
fn length(value: &Value) -> Option<u64> {
    let text = value.as_str().map(|text| text.chars().count());
    let length = text.or_else(|| value.as_array().map(Vec::len))?;
    u64::try_from(length).ok()
}

//! Judges one call of one task: the same inputs always give the same verdict.
//!
//! Deny wins over ask, ask over allow; what nothing permits is refused. A rule whose bounds
//! cannot tell (a missing argument, a value of another kind, a path that is not normalised)
//! never permits and always restricts: as a deny it refuses the call, as an ask it refuses what
//! an allow would permit.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bus_schema::RuleId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bounds::Judgement;
use crate::catalogue::{Catalogue, Tool};
use crate::contract::{Contract, Rule, RuleKind, rule_id};
use crate::fix::{self, Fix};
use crate::json;

/// Longest arguments of a call, in bytes.
pub(crate) const ARGUMENTS_BYTES_MAX: usize = 64 << 10;
/// Most milliseconds that are reserved for one call.
pub(crate) const CALL_WALL_MS_MAX: u64 = 60_000;
/// Most bytes of output that are reserved for one call.
pub(crate) const CALL_OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// What was granted to a task so far: the sum over its grants, each with what it reserved until
/// its outcome says what it used, and without those that lapsed unclaimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The time of the bus, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// Calls, those in flight included.
    pub calls: u64,
    /// The same, by the rule that permitted them.
    pub calls_by_rule: BTreeMap<RuleId, u64>,
    /// Milliseconds used or reserved.
    pub wall_ms: u64,
    /// Bytes of output used or reserved.
    pub output_bytes: u64,
}

impl Task {
    /// A task that has done nothing.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self {
            now_ms,
            calls: 0,
            calls_by_rule: BTreeMap::new(),
            wall_ms: 0,
            output_bytes: 0,
        }
    }

    /// Counts a call that was permitted by `rule` with `reserve`.
    pub fn count(&mut self, rule: &RuleId, reserve: Reserve) {
        self.calls = self.calls.saturating_add(1);
        let by_rule = self.calls_by_rule.entry(rule.clone()).or_default();
        *by_rule = by_rule.saturating_add(1);
        self.wall_ms = self.wall_ms.saturating_add(reserve.wall_ms);
        self.output_bytes = self.output_bytes.saturating_add(reserve.output_bytes);
    }
}

/// What somebody would like to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// The name of the tool.
    pub tool: &'a str,
    /// The arguments: one JSON object of at most 64 KiB, read strictly.
    pub args: &'a [u8],
}

/// What a call may use; with the call itself, what a grant reserves of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// Milliseconds, at least 1.
    pub wall_ms: u64,
    /// Bytes of output, at least 1.
    pub output_bytes: u64,
}

/// What policy says to a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// It may run.
    Granted {
        /// The rule that permits it, to be counted.
        rule: RuleId,
        /// What it may use.
        reserve: Reserve,
    },
    /// It may run when a person approves it. After the approval the call is decided again, and
    /// the approval counts if the verdict is the same question by the same rule.
    Ask {
        /// The rule that asks, to be counted when approved.
        rule: RuleId,
        /// What the person is told.
        reason: String,
        /// How long the question stands, in milliseconds; never beyond the contract.
        expires_ms: u64,
        /// What it may use.
        reserve: Reserve,
    },
    /// It may not run.
    Refused {
        /// The rule that refuses it.
        rule: RuleId,
        /// Why, for programs.
        code: Code,
        /// Why, for people, in one sentence.
        why: String,
        /// The smallest change of the contract after which the same call is granted or asked
        /// about, if one change is enough.
        fix: Option<Fix>,
    },
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The contract has expired.
    Expired,
    /// The catalogue has no such tool.
    UnknownTool,
    /// The arguments are not one strict JSON object of at most 64 KiB.
    Arguments,
    /// The arguments break the schema of the tool.
    Schema,
    /// A deny describes the call.
    Denied,
    /// A deny or an ask cannot tell whether it describes the call.
    Undecidable,
    /// Nothing permits the call.
    NotAllowed,
    /// The rules that permit the call have no calls left in this task.
    RuleCalls,
    /// The task has no calls left.
    Calls,
    /// The task has no time left.
    WallTime,
    /// The task has no output left.
    OutputBytes,
}

/// A refusal before its repair is known.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) rule: RuleId,
    pub(crate) code: Code,
    why: String,
}

impl Refusal {
    fn new(rule: &str, code: Code, why: impl Into<String>) -> Self {
        Self {
            rule: rule_id(rule),
            code,
            why: why.into(),
        }
    }

    fn by(rule: &Rule, code: Code, why: impl Into<String>) -> Self {
        Self::new(rule.id.as_str(), code, why)
    }
}

/// Decides a call: the contract in force, then the arguments against the schema of the tool,
/// then the rules, then the limits.
#[must_use]
pub fn decide(contract: &Contract, catalogue: &Catalogue, task: &Task, call: &Call<'_>) -> Verdict {
    let (tool, args) = match arguments(catalogue, call) {
        Ok(valid) => valid,
        Err(refusal) => {
            let first = unexpired(contract, task).err();
            return refused(first.unwrap_or(refusal), None);
        }
    };
    match weigh(contract, task, call.tool, &args) {
        // What the tool itself ends after need not be reserved, nor waited for when nobody tells the outcome.
        Ok(verdict) => verdict.within(tool.wall_ms_max()),
        Err(refusal) => {
            let fix = fix::find(contract, task, tool, &args, &refusal);
            refused(refusal, fix)
        }
    }
}

impl Verdict {
    /// The same, with no more wall time than `wall_ms_max`.
    fn within(mut self, wall_ms_max: u64) -> Self {
        match &mut self {
            Self::Granted { reserve, .. } | Self::Ask { reserve, .. } => {
                reserve.wall_ms = reserve.wall_ms.min(wall_ms_max);
            }
            Self::Refused { .. } => {}
        }
        self
    }
}

fn refused(refusal: Refusal, fix: Option<Fix>) -> Verdict {
    let Refusal { rule, code, why } = refusal;
    Verdict::Refused {
        rule,
        code,
        why,
        fix,
    }
}

/// The tool of a call and its arguments, valid against the schema.
fn arguments<'c>(
    catalogue: &'c Catalogue,
    call: &Call<'_>,
) -> Result<(&'c Tool, Map<String, Value>), Refusal> {
    let tool = catalogue.get(call.tool).ok_or_else(|| {
        let shown: String = call.tool.chars().take(60).collect();
        let why = format!("the catalogue has no tool {shown:?}; tool names are exact");
        Refusal::new("catalogue", Code::UnknownTool, why)
    })?;
    let args = json::parse(call.args, ARGUMENTS_BYTES_MAX)
        .map_err(|error| Refusal::new("arguments", Code::Arguments, error.to_string()))?;
    let valid = tool.arguments().validate(&args);
    match (args, valid) {
        (Value::Object(map), Ok(())) => Ok((tool, map)),
        (Value::Object(_), Err(problem)) => {
            let why = format!(
                "the arguments break the schema of `{}` {problem}",
                tool.name()
            );
            Err(Refusal::new("schema", Code::Schema, why))
        }
        (
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
            _,
        ) => {
            let why = "the arguments are not a JSON object; write one";
            Err(Refusal::new("arguments", Code::Arguments, why))
        }
    }
}

/// Weighs a call whose arguments are valid; never `Verdict::Refused`.
pub(crate) fn weigh(
    contract: &Contract,
    task: &Task,
    tool: &str,
    args: &Map<String, Value>,
) -> Result<Verdict, Refusal> {
    unexpired(contract, task)?;
    let about = contract.rules().filter(|rule| rule.tool.matches(tool));
    let judged: Vec<(&Rule, Judgement)> = about.map(|rule| (rule, rule.judge(args))).collect();
    let those = |kind: fn(&RuleKind) -> bool, judgement: Judgement| {
        let each = judged.iter().filter(move |(rule, _)| kind(&rule.kind));
        each.filter(move |(_, found)| *found == judgement)
            .map(|(rule, _)| *rule)
    };
    let allow = |kind: &RuleKind| matches!(kind, RuleKind::Allow);
    let ask = |kind: &RuleKind| matches!(kind, RuleKind::Ask { .. });
    let deny = |kind: &RuleKind| matches!(kind, RuleKind::Deny);
    if let Some(rule) = those(deny, Judgement::Within).next() {
        let why = format!("`{}` denies this call of `{tool}`", rule.id);
        return Err(Refusal::by(rule, Code::Denied, why));
    }
    if let Some(rule) = those(deny, Judgement::Unknown).next() {
        return Err(undecidable(rule, tool, args));
    }
    if let Some(refusing) = those(ask, Judgement::Within).next() {
        let open = those(ask, Judgement::Within).filter(|rule| left(rule, task) > 0);
        let rule = open
            .min_by_key(|rule| ask_ms(rule))
            .ok_or_else(|| spent(refusing))?;
        return permitted(contract, task, rule);
    }
    if let Some(refusing) = those(allow, Judgement::Within).next() {
        let open = those(allow, Judgement::Within).filter(|rule| left(rule, task) > 0);
        let rule = open.min_by_key(|rule| Reverse(left(rule, task)));
        let rule = rule.ok_or_else(|| spent(refusing))?;
        if let Some(unsure) = those(ask, Judgement::Unknown).next() {
            return Err(undecidable(unsure, tool, args));
        }
        return permitted(contract, task, rule);
    }
    let permits = |kind: &RuleKind| !matches!(kind, RuleKind::Deny);
    let near = judged.iter().find(|(rule, _)| permits(&rule.kind));
    let near = near.map_or_else(String::new, |(rule, _)| {
        let failing = match rule.failing(args)[..] {
            [] => "with further arguments".to_owned(),
            ref names => format!("with this `{}`", names.join("`, `")),
        };
        format!("; `{}` is about this tool, but not {failing}", rule.id)
    });
    let why = format!("no rule permits this call of `{tool}`{near}");
    Err(Refusal::new("default", Code::NotAllowed, why))
}

fn unexpired(contract: &Contract, task: &Task) -> Result<(), Refusal> {
    if task.now_ms < contract.expires_ms {
        return Ok(());
    }
    let why = format!("the contract `{}` has expired", contract.name);
    Err(Refusal::new("expired", Code::Expired, why))
}

fn undecidable(rule: &Rule, tool: &str, args: &Map<String, Value>) -> Refusal {
    let unsure = rule.failing(args).join("`, `");
    let why = format!(
        "`{}` cannot tell whether it describes this call of `{tool}`: `{unsure}` is missing or \
         not of the form that the rule judges",
        rule.id
    );
    Refusal::by(rule, Code::Undecidable, why)
}

fn spent(rule: &Rule) -> Refusal {
    let why = format!("`{}` has no calls left in this task", rule.id);
    Refusal::by(rule, Code::RuleCalls, why)
}

/// The calls that a rule may still permit.
fn left(rule: &Rule, task: &Task) -> u64 {
    let used = task
        .calls_by_rule
        .get(&rule.id)
        .copied()
        .unwrap_or_default();
    rule.calls.unwrap_or(u64::MAX).saturating_sub(used)
}

fn ask_ms(rule: &Rule) -> u64 {
    match rule.kind {
        RuleKind::Ask { expires_ms, .. } => expires_ms,
        RuleKind::Allow | RuleKind::Deny => 0,
    }
}

/// Takes what the call may use from the limits.
fn permitted(contract: &Contract, task: &Task, rule: &Rule) -> Result<Verdict, Refusal> {
    let limits = contract.limits;
    let spent = |what: &str, code: Code, used: u64, limit: u64| {
        let why = format!(
            "the task has used {used} of its {limit} {}",
            what.replace('_', " ")
        );
        Refusal::new(&format!("limits.{what}"), code, why)
    };
    let left = |what: &str, code: Code, used: u64, limit: u64| {
        let left = limit.saturating_sub(used);
        if left == 0 {
            Err(spent(what, code, used, limit))
        } else {
            Ok(left)
        }
    };
    left("calls", Code::Calls, task.calls, limits.calls)?;
    let wall_ms = left("wall_time", Code::WallTime, task.wall_ms, limits.wall_ms)?;
    let used = task.output_bytes;
    let output_bytes = left("output_bytes", Code::OutputBytes, used, limits.output_bytes)?;
    let reserve = Reserve {
        wall_ms: wall_ms.min(CALL_WALL_MS_MAX),
        output_bytes: output_bytes.min(CALL_OUTPUT_BYTES_MAX),
    };
    let rule_id = rule.id.clone();
    Ok(match &rule.kind {
        RuleKind::Ask { reason, expires_ms } => Verdict::Ask {
            rule: rule_id,
            reason: reason.clone(),
            expires_ms: (*expires_ms).min(contract.expires_ms.abs_diff(task.now_ms)),
            reserve,
        },
        RuleKind::Allow | RuleKind::Deny => Verdict::Granted {
            rule: rule_id,
            reserve,
        },
    })
}

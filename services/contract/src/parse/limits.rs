//! Parses `[limits]`, for a task and for each period over all tasks.

use std::collections::BTreeMap;
use std::ops::Range;

use super::source::{DURATION_MS_MAX, Node, Source, Table, duration};
use super::{matcher, quota};
use crate::catalogue::Catalogue;
use crate::limits::{Limits, PeriodLimits, ToolLimit};
use crate::rule::{Rule, RuleKind};
use crate::usage::Period;

/// Default limits of a task.
const CALLS_DEFAULT: u64 = 100;
const WALL_MS_DEFAULT: u64 = 30 * 60 * 1000;
const OUTPUT_BYTES_DEFAULT: u64 = 16 << 20;
/// Maximum limit on the total time of a day's calls.
const DAY_WALL_MS_MAX: u64 = DURATION_MS_MAX * 100;
/// Maximum number of limits on single tools in one period.
const TOOLS_MAX: usize = 100;

const CAPS_KEYS: [&str; 8] = [
    "calls",
    "wall_time",
    "output_bytes",
    "tokens",
    "spend",
    "bytes_out",
    "messages",
    "tools",
];

/// Reads `[limits]` with `[limits.hour]`, `[limits.day]` and `[limits.contract]`.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: Option<&'t Node<'t>>,
    catalogue: &Catalogue,
) -> Option<Limits> {
    let mut limits = Limits {
        task: PeriodLimits::default(),
        hour: PeriodLimits::default(),
        day: PeriodLimits::default(),
        contract: PeriodLimits::default(),
    };
    if let Some(node) = node {
        let shared_keys = [&["tasks"], &CAPS_KEYS[..]].concat();
        let keys = [&CAPS_KEYS[..], &["hour", "day", "contract", "tasks"]].concat();
        let of = source.table(node, "`[limits]`", &keys)?;
        if let Some(node) = of.table.get("tasks") {
            let problem = "`tasks` counts several tasks, and `[limits]` is about one";
            let fix = "write it in `[limits.contract]`, `[limits.day]` or `[limits.hour]`";
            source.report(node.span(), problem, fix);
            return None;
        }
        limits.task = caps(source, (&of, DURATION_MS_MAX), catalogue)?;
        for (key, what, period) in [
            ("hour", "`[limits.hour]`", Period::Hour),
            ("day", "`[limits.day]`", Period::Day),
            ("contract", "`[limits.contract]`", Period::Contract),
        ] {
            if let Some(node) = of.table.get(key) {
                let of = source.table(node, what, &shared_keys)?;
                *limits.of_mut(period) = caps(source, (&of, DAY_WALL_MS_MAX), catalogue)?;
            }
        }
    }
    let task = &mut limits.task;
    task.calls.get_or_insert(CALLS_DEFAULT);
    task.wall_ms.get_or_insert(WALL_MS_DEFAULT);
    task.output_bytes.get_or_insert(OUTPUT_BYTES_DEFAULT);
    Some(limits)
}

fn caps<'t>(
    source: &mut Source<'t>,
    (of, most_ms): (&Table<'t>, u64),
    catalogue: &Catalogue,
) -> Option<PeriodLimits> {
    let mut count = |key: &str, least: i64| match of.table.get(key) {
        Some(node) => source.count(node, &format!("`{key}`"), least).map(Some),
        None => Some(None),
    };
    let tasks = count("tasks", 1);
    let calls = count("calls", 1);
    let output_bytes = count("output_bytes", 1);
    let tokens = count("tokens", 1);
    let bytes_out = count("bytes_out", 0);
    let messages = count("messages", 0);
    let wall_ms = match of.table.get("wall_time") {
        Some(node) => duration(source, node, "`wall_time`", most_ms).map(Some),
        None => Some(None),
    };
    let spend = match of.table.get("spend") {
        Some(node) => quota::moneys(source, node),
        None => Some(BTreeMap::new()),
    };
    let tools = match of.table.get("tools") {
        Some(node) => tools(source, node, catalogue),
        None => Some(BTreeMap::new()),
    };
    Some(PeriodLimits {
        tasks: tasks?,
        calls: calls?,
        wall_ms: wall_ms?,
        output_bytes: output_bytes?,
        tokens: tokens?,
        bytes_out: bytes_out?,
        messages: messages?,
        spend: spend?,
        tools: tools?,
    })
}

/// Reads `tools`: the maximum calls by the name of a tool or a pattern.
fn tools<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    catalogue: &Catalogue,
) -> Option<BTreeMap<String, ToolLimit>> {
    let Some(table) = node.get_ref().as_table() else {
        let wanted = "the calls of each tool, such as `tools = { \"mail.send\" = 3 }`";
        source.mistyped(node, "`tools`", wanted);
        return None;
    };
    if table.len() > TOOLS_MAX {
        let problem = format!("`tools` has more than {TOOLS_MAX} entries");
        source.report(node.span(), problem, "use a pattern such as \"file.*\"");
        return None;
    }
    let mut limits = BTreeMap::new();
    let mut complete = true;
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        let tool = matcher::named(source, (key.span(), name), "`tools`", catalogue);
        let calls = source.count(node, &format!("`{name}`"), 1);
        if let (Some(tool), Some(calls)) = (tool, calls) {
            limits.insert(tool.to_string(), ToolLimit { tool, calls });
        } else {
            complete = false;
        }
    }
    complete.then_some(limits)
}

/// Reports limits on tools that have no effect: no rule permits the tool, or another limit ends before.
pub(super) fn check(
    source: &mut Source<'_>,
    of: &Table<'_>,
    (limits, rules): (&Limits, &[Rule]),
    catalogue: &Catalogue,
) {
    for period in Period::ALL {
        let all = limits.of(period).calls;
        for (name, limit) in &limits.of(period).tools {
            let permitted = catalogue.tools().any(|tool| {
                let name = tool.name().as_str();
                let mut rules = rules.iter().filter(|rule| rule.kind != RuleKind::Deny);
                limit.tool.matches(name) && rules.any(|rule| rule.tool.matches(name))
            });
            if !permitted {
                let problem =
                    format!("no rule permits `{name}`, so the limit on its calls has no effect");
                let fix = "remove it, or add a rule about the tool";
                source.report(place(of, period, name), problem, fix);
            } else if let Some(all) = all.filter(|all| *all < limit.calls) {
                let problem = format!(
                    "the limit of {all} calls ends before this one of {}, so it has no effect",
                    limit.calls
                );
                let fix = format!("write at most {all}, or raise `calls` in the limits");
                source.report(place(of, period, name), problem, fix);
            }
        }
    }
}

/// Returns the place of the limit on a tool in the document.
fn place(of: &Table<'_>, period: Period, name: &str) -> Range<usize> {
    let within = match period {
        Period::Task => &["limits", "tools"][..],
        Period::Hour | Period::Day | Period::Contract => &["limits", period.word(), "tools"],
    };
    let mut table = Some(of.table);
    for key in within {
        table = table.and_then(|table| table.get(*key)?.get_ref().as_table());
    }
    let node = table.and_then(|table| table.get(name));
    node.map_or_else(|| of.span.clone(), Node::span)
}

//! Parses the head of a contract: dates, principals, limits and roles.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{APPROVERS_MAX, PublicKey};
use jiff::{
    Timestamp, civil,
    tz::{Offset, TimeZone},
};
use toml::de::DeValue;

use super::quota;
use super::source::{
    DURATION_MS_MAX, Node, Source, TASK_CHARS_MAX, TEXT_CHARS_MAX, Table, duration,
};
use crate::contract::Role;
use crate::limits::{Limits, PeriodLimits};
use crate::name::{is_name, is_principal};
use crate::rule::OWNER;
use crate::usage::Period;

/// Default limits of a task.
const CALLS_DEFAULT: u64 = 100;
const WALL_MS_DEFAULT: u64 = 30 * 60 * 1000;
const OUTPUT_BYTES_DEFAULT: u64 = 16 << 20;
/// Maximum number of principals of a contract.
const PRINCIPALS_MAX: usize = 100;
/// Maximum length of the name of a time zone, in characters.
const ZONE_CHARS_MAX: usize = 64;
/// Maximum number of roles of a contract.
const ROLES_MAX: usize = 32;
/// Maximum limit on the total time of a day's calls.
const DAY_WALL_MS_MAX: u64 = DURATION_MS_MAX * 100;

const CAPS_KEYS: [&str; 7] = [
    "calls",
    "wall_time",
    "output_bytes",
    "tokens",
    "spend",
    "bytes_out",
    "messages",
];

/// Reads `[limits]` with `[limits.hour]`, `[limits.day]` and `[limits.contract]`.
pub(super) fn limits<'t>(source: &mut Source<'t>, node: Option<&'t Node<'t>>) -> Option<Limits> {
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
        limits.task = caps(source, &of, DURATION_MS_MAX)?;
        for (key, what, period) in [
            ("hour", "`[limits.hour]`", Period::Hour),
            ("day", "`[limits.day]`", Period::Day),
            ("contract", "`[limits.contract]`", Period::Contract),
        ] {
            if let Some(node) = of.table.get(key) {
                let of = source.table(node, what, &shared_keys)?;
                *limits.of_mut(period) = caps(source, &of, DAY_WALL_MS_MAX)?;
            }
        }
    }
    let task = &mut limits.task;
    task.calls.get_or_insert(CALLS_DEFAULT);
    task.wall_ms.get_or_insert(WALL_MS_DEFAULT);
    task.output_bytes.get_or_insert(OUTPUT_BYTES_DEFAULT);
    Some(limits)
}

fn caps<'t>(source: &mut Source<'t>, of: &Table<'t>, most_ms: u64) -> Option<PeriodLimits> {
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
    Some(PeriodLimits {
        tasks: tasks?,
        calls: calls?,
        wall_ms: wall_ms?,
        output_bytes: output_bytes?,
        tokens: tokens?,
        bytes_out: bytes_out?,
        messages: messages?,
        spend: spend?,
    })
}

/// Reads `task`: the text of the only tasks of the contract.
pub(super) fn task(source: &mut Source<'_>, node: Option<&Node<'_>>) -> Option<Option<String>> {
    let Some(node) = node else {
        return Some(None);
    };
    source.text(node, "`task`", TASK_CHARS_MAX).map(Some)
}

/// Reads `principal`: one text or a list of them.
pub(super) fn principals<'t>(
    source: &mut Source<'t>,
    node: Option<&'t Node<'t>>,
) -> Option<Vec<String>> {
    let Some(node) = node else {
        return Some(vec!["session".to_owned()]);
    };
    let one = |source: &mut Source<'t>, node: &'t Node<'t>| {
        let text = source.text(node, "`principal`", 80)?;
        if !is_principal(&text) {
            let fix = "write \"session\", \"job\", or one job such as \"job:nightly\"";
            source.report(node.span(), format!("{text:?} is no principal"), fix);
            return None;
        }
        Some(text)
    };
    if node.get_ref().as_array().is_none() {
        return Some(vec![one(source, node)?]);
    }
    let items = source.items(node, "`principal`")?;
    if items.len() > PRINCIPALS_MAX {
        let problem = format!("the contract is for more than {PRINCIPALS_MAX} principals");
        source.report(node.span(), problem, "split it by purpose");
        return None;
    }
    items.iter().map(|item| one(source, item)).collect()
}

/// Reads `zone`, a name of the zone database that is part of the program.
pub(super) fn zone(source: &mut Source<'_>, node: Option<&Node<'_>>) -> Option<TimeZone> {
    let Some(node) = node else {
        return Some(TimeZone::UTC);
    };
    let text = source.text(node, "`zone`", ZONE_CHARS_MAX)?;
    let found = jiff::tz::db().get(&text).ok();
    if found.is_none() {
        let fix = "write a name such as \"Europe/Berlin\" or \"UTC\"";
        source.report(node.span(), format!("{text:?} is no time zone"), fix);
    }
    found
}

/// Reads `[roles.<name>]`.
pub(super) fn roles<'t>(
    source: &mut Source<'t>,
    node: Option<&'t Node<'t>>,
) -> Option<BTreeMap<String, Role>> {
    let mut roles = BTreeMap::new();
    let Some(node) = node else {
        return Some(roles);
    };
    let Some(table) = node.get_ref().as_table() else {
        source.mistyped(node, "`roles`", "`[roles.<name>]`");
        return None;
    };
    if table.len() > ROLES_MAX {
        let problem = format!("the contract has more than {ROLES_MAX} roles");
        source.report(node.span(), problem, "join some");
        return None;
    }
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        if !is_name(name) || name == OWNER {
            let problem = format!("{name:?} is no name for a role");
            let fix = "use lower-case letters, digits and `-`; `owner` is whoever signs";
            source.report(key.span(), problem, fix);
            return None;
        }
        roles.insert(name.to_owned(), role(source, node)?);
    }
    let all: BTreeSet<_> = roles.values().flat_map(|role: &Role| &role.keys).collect();
    if all.len() > APPROVERS_MAX {
        let problem = format!("the roles have more than {APPROVERS_MAX} keys together");
        source.report(node.span(), problem, "name fewer people");
        return None;
    }
    Some(roles)
}

fn role<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Role> {
    let of = source.table(node, "`[roles.…]`", &["name", "keys"])?;
    let name = match of.table.get("name") {
        Some(node) => Some(source.text(node, "`name`", TEXT_CHARS_MAX)?),
        None => None,
    };
    let node = source.required(&of, "keys")?;
    let items = source.items(node, "`keys`")?;
    let mut keys: Vec<PublicKey> = Vec::new();
    for item in items {
        let text = source.text(item, "the key", 128)?;
        let Ok(key) = text.parse() else {
            let fix = "write the public key of a device as it is printed, 64 hexadecimal digits";
            source.report(item.span(), format!("{text:?} is no public key"), fix);
            return None;
        };
        if keys.contains(&key) {
            source.report(
                item.span(),
                "the role has this key twice",
                "remove one of them",
            );
            return None;
        }
        keys.push(key);
    }
    Some(Role { name, keys })
}

/// Reads a date or a moment as milliseconds since 1970 UTC; for a date, its end or its start.
pub(super) fn moment(
    source: &mut Source<'_>,
    node: &Node<'_>,
    key: &str,
    end: bool,
) -> Option<i64> {
    let fix = "write a date such as 2030-01-31, or a moment such as 2030-01-31T18:00:00Z";
    let DeValue::Datetime(written) = node.get_ref() else {
        let problem = format!("`{key}` is not a date");
        source.report(node.span(), problem, format!("{fix}, without quotes"));
        return None;
    };
    let found = match (written.date, written.time, written.offset) {
        (Some(_), Some(_), Some(_)) => written.to_string().parse::<Timestamp>().ok(),
        (Some(_), None, None) => day(&written.to_string(), end),
        _ => None,
    };
    if found.is_none() {
        let problem = format!("`{key}` does not say one moment for every place on earth");
        source.report(node.span(), problem, fix);
    }
    found.map(Timestamp::as_millisecond)
}

fn day(date: &str, end: bool) -> Option<Timestamp> {
    let mut date = date.parse::<civil::Date>().ok()?;
    if end {
        date = date.tomorrow().ok()?;
    }
    let midnight = date.to_datetime(civil::Time::midnight());
    Offset::UTC.to_timestamp(midnight).ok()
}

//! Parses the head of a contract: dates, principals and roles.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{APPROVERS_MAX, PublicKey};
use jiff::{
    Timestamp, civil,
    tz::{Offset, TimeZone},
};
use toml::de::DeValue;

use super::source::{Node, Source, TASK_CHARS_MAX, TEXT_CHARS_MAX};
use crate::contract::Role;
use crate::name::{is_name, is_principal};
use crate::rule::OWNER;

/// Maximum number of principals of a contract.
const PRINCIPALS_MAX: usize = 100;
/// Maximum length of the name of a time zone, in characters.
const ZONE_CHARS_MAX: usize = 64;
/// Maximum number of roles of a contract.
const ROLES_MAX: usize = 32;

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

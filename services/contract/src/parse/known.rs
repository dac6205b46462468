//! Parses `[known]`: the owner's named values and sets of values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::de::DeTable;

use super::source::{Node, Source};
use crate::bound::scalar;
use crate::known::{KnownSet, KnownSets, folded};
use crate::name::is_name;

/// Maximum number of known sets.
const SETS_MAX: usize = 100;
/// Maximum number of values of one set with aliases.
const VALUES_MAX: usize = 1000;
/// Maximum length of an alias, in characters.
const ALIAS_CHARS_MAX: usize = 80;

/// Reads `[known]`: a list is a set of values, a table a set of values with aliases.
pub(super) fn read<'t>(source: &mut Source<'t>, node: Option<&'t Node<'t>>) -> Option<KnownSets> {
    let mut sets = BTreeMap::new();
    let Some(node) = node else {
        return Some(sets);
    };
    let Some(table) = node.get_ref().as_table() else {
        source.mistyped(
            node,
            "`known`",
            "`[known]` with `<name> = […]`, or `[known.<name>]`",
        );
        return None;
    };
    if table.len() > SETS_MAX {
        let problem = format!("the contract has more than {SETS_MAX} known sets");
        source.report(node.span(), problem, "join some");
        return None;
    }
    let mut complete = true;
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        if !is_name(name) {
            let problem = format!("{name:?} is no name for a known set");
            let fix = "use lower-case letters, digits and `-`, such as `[known.people]`";
            source.report(key.span(), problem, fix);
            complete = false;
            continue;
        }
        match set(source, name, node) {
            Some(set) => drop(sets.insert(name.to_owned(), Arc::new(set))),
            None => complete = false,
        }
    }
    complete.then_some(sets)
}

fn set<'t>(source: &mut Source<'t>, name: &str, node: &'t Node<'t>) -> Option<KnownSet> {
    let name = name.to_owned();
    if let Some(table) = node.get_ref().as_table() {
        return aliased(source, name, node, table);
    }
    if node.get_ref().as_array().is_none() {
        let what = format!("`known.{name}`");
        source.mistyped(
            node,
            &what,
            "a list of values, or a table of `alias = value`",
        );
        return None;
    }
    let (values, aliases) = (scalar::read_set(source, node)?, Vec::new());
    Some(KnownSet {
        name,
        values,
        aliases,
    })
}

fn aliased<'t>(
    source: &mut Source<'t>,
    name: String,
    node: &'t Node<'t>,
    table: &'t DeTable<'t>,
) -> Option<KnownSet> {
    if table.is_empty() || table.len() > VALUES_MAX {
        let problem = format!("`known.{name}` has no value, or more than {VALUES_MAX}");
        source.report(
            node.span(),
            problem,
            "write one line `alias = value` for each",
        );
        return None;
    }
    let (mut values, mut aliases, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (key, node) in table {
        let alias = key.get_ref().as_ref();
        let fold = folded(alias);
        if fold.is_empty() || alias.chars().count() > ALIAS_CHARS_MAX {
            let problem = format!("an alias has 1 to {ALIAS_CHARS_MAX} characters");
            source.report(key.span(), problem, "write a name that the owner would say");
            return None;
        }
        if !seen.insert(fold) {
            let problem = format!(
                "`known.{name}` has the alias {alias:?} twice, but for upper and lower case"
            );
            source.report(key.span(), problem, "rename one of them");
            return None;
        }
        values.push(scalar::read(source, node)?);
        aliases.push(alias.to_owned());
    }
    Some(KnownSet {
        name,
        values,
        aliases,
    })
}

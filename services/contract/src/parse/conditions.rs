//! Parses the conditions of a rule on more than one argument: `when` and `after`.

use std::collections::BTreeMap;

use super::source::{Node, Source, TEXT_CHARS_MAX, Table};
use super::tools::{About, unknown_tool};
use crate::after::After;
use crate::cedar::{CONDITION_BYTES_MAX, Condition};

/// Maximum number of earlier calls of one rule.
const AFTER_MAX: usize = 32;

/// Parses a condition; the outer `None` means that a problem was reported.
pub(super) fn when<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &About<'_>,
) -> Option<Option<Condition>> {
    let Some(node) = of.table.get("when") else {
        return Some(None);
    };
    let text = source.text(node, "`when`", CONDITION_BYTES_MAX)?;
    let each = about.matched.iter();
    let tools: Vec<_> = each
        .map(|tool| (tool.name().as_str(), tool.input_schema()))
        .collect();
    if tools.is_empty() {
        return None;
    }
    match Condition::parse(&text, &tools) {
        Ok(condition) => {
            let known = |name: &str| about.catalogue.get(name).is_some();
            let unknown = condition.earlier().find(|(name, _)| !known(name));
            if let Some((name, at)) = unknown {
                let span = source.within(node, at);
                unknown_tool(source, span, name, about.catalogue);
                return None;
            }
            Some(Some(condition))
        }
        Err(error) => {
            let span = source.within(node, error.at());
            let said = error.to_string();
            let (problem, fix) = said.rsplit_once("; ").unwrap_or((&said, "correct it"));
            source.report(span, problem, fix);
            None
        }
    }
}

/// Parses `after`: one earlier call, or a list of which each must have succeeded.
pub(super) fn after<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &About<'_>,
) -> Option<Vec<After>> {
    let Some(node) = of.table.get("after") else {
        return Some(Vec::new());
    };
    if node.get_ref().as_array().is_none() {
        return Some(vec![earlier(source, node, about)?]);
    }
    let items = source.items(node, "`after`")?;
    if items.len() > AFTER_MAX {
        let problem = format!("`after` has more than {AFTER_MAX} entries");
        source.report(node.span(), problem, "remove some");
        return None;
    }
    let mut each = Vec::new();
    for item in items {
        let one = earlier(source, item, about)?;
        if each.contains(&one) {
            let problem = format!("`after` has {one} twice");
            source.report(item.span(), problem, "remove one of them");
            return None;
        }
        each.push(one);
    }
    Some(each)
}

fn earlier<'t>(source: &mut Source<'t>, node: &'t Node<'t>, about: &About<'_>) -> Option<After> {
    if node.get_ref().as_str().is_some() {
        let tool = about.tool(source, node)?.name().to_string();
        let equal = BTreeMap::new();
        return Some(After { tool, equal });
    }
    let of = source.table(node, "`after`", &["tool", "equal"])?;
    let tool = source
        .required(&of, "tool")
        .and_then(|node| about.tool(source, node))?;
    let mut equal = BTreeMap::new();
    let mut pair = |source: &mut Source<'t>, node: &'t Node<'t>, own: &str, other: &str| {
        about.check(source, node.span(), own)?;
        About::check_in(source, node.span(), other, &[tool])?;
        equal.insert(own.to_owned(), other.to_owned());
        Some(())
    };
    if let Some(node) = of.table.get("equal") {
        let table = node.get_ref().as_table().filter(|table| !table.is_empty());
        if let Some(table) = table {
            for (own, node) in table {
                let other = source.text(node, "`equal`", TEXT_CHARS_MAX)?;
                pair(source, node, own.get_ref(), &other)?;
            }
        } else {
            for node in source.items(node, "`equal`")? {
                let name = source.text(node, "`equal`", TEXT_CHARS_MAX)?;
                pair(source, node, &name, &name)?;
            }
        }
    }
    let tool = tool.name().to_string();
    Some(After { tool, equal })
}

//! Parses the flow actions of a rule and the arguments that may be free after untrusted data.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Node, Source, TEXT_CHARS_MAX, Table};
use super::tools::About;
use crate::bound::Bound;
use crate::labels::FlowAction;
use crate::rule::is_below;

/// The flow actions after untrusted data and after a secret.
type Actions = (Option<FlowAction>, Option<FlowAction>);

/// Reads `untrusted` and `secret`.
pub(super) fn read<'t>(source: &mut Source<'t>, of: &Table<'t>) -> Option<Actions> {
    let secret = action(source, of, "secret", &FlowAction::ALL);
    let node = of.table.get("untrusted");
    if let Some(node) = node.filter(|node| node.get_ref().as_str() == Some("allow")) {
        let problem = "`untrusted = \"allow\"` would free every argument after untrusted data";
        let fix = "write `free = [\"…\"]` with the arguments that may have any value, or `free = []` for none";
        source.report(node.span(), problem, fix);
        return None;
    }
    let untrusted = action(
        source,
        of,
        "untrusted",
        &[FlowAction::Ask, FlowAction::Refuse],
    );
    Some((untrusted?, secret?))
}

/// Reads one action; the outer `None` means that a problem was reported.
fn action<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    key: &str,
    known: &[FlowAction],
) -> Option<Option<FlowAction>> {
    let Some(node) = of.table.get(key) else {
        return Some(None);
    };
    let text = node.get_ref().as_str();
    let found = known.iter().find(|one| Some(one.word()) == text);
    if found.is_none() {
        let words = known.iter().map(|one| format!("\"{}\"", one.word()));
        let words = words.collect::<Vec<_>>().join(" or ");
        let problem = format!("`{key}` has no such action");
        source.report(node.span(), problem, format!("write {words}"));
    }
    found.map(|found| Some(*found))
}

/// Reads `free`; the outer `None` means that a problem was reported.
#[expect(clippy::option_option, reason = "the outer one is a reported problem")]
pub(super) fn free<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &About<'_>,
    bounds: &BTreeMap<String, Bound>,
) -> Option<Option<BTreeSet<String>>> {
    let Some(node) = of.table.get("free") else {
        return Some(None);
    };
    if of.table.contains_key("untrusted") {
        let problem = "`free` and `untrusted` contradict each other";
        source.report(node.span(), problem, "keep one of them");
        return None;
    }
    let Some(items) = node.get_ref().as_array() else {
        source.mistyped(node, "`free`", "a list of arguments, such as [\"body\"]");
        return None;
    };
    let mut names = BTreeSet::new();
    for item in items {
        let name = source.text(item, "an argument in `free`", TEXT_CHARS_MAX)?;
        about.check(source, item.span(), &name)?;
        is_bounded(source, item, &name, (about, bounds))?;
        if !names.insert(name.clone()) {
            let problem = format!("`free` has `{name}` twice");
            source.report(item.span(), problem, "remove one of them");
            return None;
        }
    }
    Some(Some(names))
}

/// Reports a free argument that may be a text of any length.
fn is_bounded(
    source: &mut Source<'_>,
    node: &Node<'_>,
    name: &str,
    (about, bounds): (&About<'_>, &BTreeMap<String, Bound>),
) -> Option<()> {
    let types = || {
        about
            .matched
            .iter()
            .map(|tool| tool.arguments().types(name))
    };
    let is = |kind: &str| types().any(|types| types.iter().any(|one| one == kind));
    let is_list = is("array");
    let is_text = is_list || is("string") || is("object") || types().any(|types| types.is_empty());
    let limits = |bound: &Bound| bound.limits_length() && (!is_list || bound.is_about_items());
    let below = || bounds.iter().filter(|(bound, _)| is_below(bound, name));
    let each_below = below().next().is_some() && below().all(|(_, bound)| bound.limits_length());
    let mut tools = about.matched.iter();
    let by_schema = !is_list && tools.all(|tool| tool.arguments().limits_length(name));
    if !is_text || each_below || by_schema || bounds.get(name).is_some_and(limits) {
        return Some(());
    }
    let problem = format!("`{name}` is free, and may be of any length");
    let items = if is_list {
        ", every = { length = { max = 500 } }"
    } else {
        ""
    };
    let name = crate::toml_text::key(name);
    let fix = format!("add `where.{name} = {{ length = {{ max = 500 }}{items} }}`");
    source.report(node.span(), problem, fix);
    None
}

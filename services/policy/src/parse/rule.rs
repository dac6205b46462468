//! Reads one rule of a contract and checks it against the tools there are.

use std::collections::{BTreeMap, BTreeSet};

use actor::diagnostic::nearest;
use bus_schema::RuleId;

use super::source::{Fields, Node, Source};
use super::{TEXT_CHARS_MAX, bound, duration, name, place};
use crate::bounds::Bound;
use crate::catalogue::{Catalogue, Tool};
use crate::contract::{Matcher, RESERVED, Rule, RuleKind, rule_id};
use crate::glob::{PATTERN_BYTES_MAX, ToolGlob};

/// How long a question stands when the rule does not say.
const ASK_MS_DEFAULT: u64 = 15 * 60 * 1000;
/// How long a question can stand: a day.
const ASK_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Reads the rule `node`, the `place`-th of its kind.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    word: &'static str,
    place: usize,
    names: &mut BTreeSet<String>,
    catalogue: &Catalogue,
) -> Option<Rule> {
    let (what, keys): (_, &[&str]) = match word {
        "allow" => ("`[[allow]]`", &["name", "tool", "where", "only", "calls"]),
        "ask" => (
            "`[[ask]]`",
            &[
                "name", "tool", "where", "only", "calls", "reason", "expires",
            ],
        ),
        _ => ("`[[deny]]`", &["name", "tool", "where"]),
    };
    let of = source.table(node, what, keys)?;
    let id = id(source, &of, word, place, names);
    let tool = source
        .required(&of, "tool")
        .and_then(|node| matcher(source, node, catalogue));
    let bounds = tool
        .as_ref()
        .map(|tool| bounds(source, &of, tool, catalogue));
    let only = match of.table.get("only") {
        Some(node) => source.boolean(node, "`only`")?,
        None => false,
    };
    let calls = match of.table.get("calls") {
        Some(node) => Some(source.count(node, "`calls`", 1)?),
        None => None,
    };
    let kind = kind(source, &of, word)?;
    Some(Rule {
        id: id?,
        kind,
        tool: tool?,
        bounds: bounds??,
        only,
        calls,
    })
}

fn id<'t>(
    source: &mut Source<'t>,
    of: &Fields<'t>,
    word: &str,
    place: usize,
    names: &mut BTreeSet<String>,
) -> Option<RuleId> {
    let Some(node) = of.table.get("name") else {
        return Some(rule_id(&format!("{word}.{place}")));
    };
    let text = name(source, node, "`name`")?;
    if RESERVED.contains(&text.as_str()) {
        let problem = format!("the name `{text}` belongs to a rule that every contract has");
        source.report(node.span(), problem, "choose another name");
        return None;
    }
    source.unused(&text, node.span(), names);
    Some(rule_id(&text))
}

fn kind<'t>(source: &mut Source<'t>, of: &Fields<'t>, word: &str) -> Option<RuleKind> {
    match word {
        "allow" => Some(RuleKind::Allow),
        "ask" => {
            let reason = source
                .required(of, "reason")
                .and_then(|node| source.text(node, "`reason`", TEXT_CHARS_MAX));
            let expires_ms = of
                .table
                .get("expires")
                .map_or(Some(ASK_MS_DEFAULT), |node| {
                    duration(source, node, "`expires`", ASK_MS_MAX)
                });
            Some(RuleKind::Ask {
                reason: reason?,
                expires_ms: expires_ms?,
            })
        }
        _ => Some(RuleKind::Deny),
    }
}

fn matcher(source: &mut Source<'_>, node: &Node<'_>, catalogue: &Catalogue) -> Option<Matcher> {
    let text = source.text(node, "`tool`", PATTERN_BYTES_MAX)?;
    if !text.contains('*') {
        if catalogue.get(&text).is_some() {
            return Some(Matcher::Exact(text));
        }
        unknown_tool(source, node, &text, catalogue);
        return None;
    }
    let Some(glob) = ToolGlob::new(&text) else {
        let fix = "use letters, digits, `_`, `-`, dots and `*`, such as \"file.*\"";
        source.report(node.span(), "`tool` is no pattern on tool names", fix);
        return None;
    };
    if !catalogue
        .tools()
        .any(|tool| glob.matches(tool.name().as_str()))
    {
        unknown_tool(source, node, &text, catalogue);
        return None;
    }
    Some(Matcher::Glob(glob))
}

/// Notes a tool that the catalogue does not have.
pub(super) fn unknown_tool(
    source: &mut Source<'_>,
    node: &Node<'_>,
    text: &str,
    catalogue: &Catalogue,
) {
    let names: Vec<&str> = catalogue.tools().map(|tool| tool.name().as_str()).collect();
    let fix = nearest(text, names.iter().copied()).map_or_else(
        || {
            format!(
                "use one of: {}",
                names
                    .iter()
                    .take(10)
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        },
        |near| format!("did you mean `{near}`?"),
    );
    source.report(
        node.span(),
        format!("the catalogue has no tool `{text}`"),
        fix,
    );
}

fn bounds<'t>(
    source: &mut Source<'t>,
    of: &Fields<'t>,
    tool: &Matcher,
    catalogue: &Catalogue,
) -> Option<BTreeMap<String, Bound>> {
    let Some(node) = of.table.get("where") else {
        return Some(BTreeMap::new());
    };
    let Some(table) = node.get_ref().as_table() else {
        source.mistyped(node, "`where`", "`where.<argument> = …`");
        return None;
    };
    if table.is_empty() {
        let fix = "remove it to take in every call, or bound an argument";
        source.report(place(of, "where"), "`where` says nothing", fix);
        return None;
    }
    let matched: Vec<&Tool> = catalogue
        .tools()
        .filter(|one| tool.matches(one.name().as_str()))
        .collect();
    let mut bounds = BTreeMap::new();
    let mut complete = true;
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        let lacking = matched.iter().find(|tool| !tool.arguments().has(name));
        if let Some(tool) = lacking {
            let problem = format!("the tool `{}` has no argument `{name}`", tool.name());
            let fix = nearest(name, tool.arguments().names()).map_or_else(
                || {
                    let names: Vec<&str> = tool.arguments().names().collect();
                    format!("it has: {}; bound one of these", names.join(", "))
                },
                |near| format!("did you mean `{near}`?"),
            );
            source.report(key.span(), problem, fix);
            complete = false;
            continue;
        }
        let types: Vec<&[String]> = matched
            .iter()
            .map(|tool| tool.arguments().types(name))
            .collect();
        match bound::read(source, node, 0) {
            Some(bound) => {
                complete &= bound::fits(source, node, &bound, &types);
                bounds.insert(name.to_owned(), bound);
            }
            None => complete = false,
        }
    }
    complete.then_some(bounds)
}

//! Parses one rule of a contract and checks it against the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::RuleId;

use super::conditions::{after, when};
use super::fits::fits;
use super::quota::Moves;
use super::source::{Node, Source, Table, name, place};
use super::tools::About;
use super::{flow, matcher, question, quota, repeat, secrets};
use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::catalogue::Catalogue;
use crate::contract::Role;
use crate::known::KnownSets;
use crate::name::{RESERVED, rule_id};
use crate::rule::{Rule, RuleKind};
use crate::slot::Slots;

/// Keys of every rule: the match.
const DESCRIBED: [&str; 5] = ["name", "where", "only", "when", "after"];
/// Additional keys of allow and ask rules: quotas and flow actions.
const COUNTED: [&str; 11] = [
    "calls",
    "per_task",
    "per_hour",
    "per_day",
    "per_contract",
    "spend",
    "tokens",
    "secrets",
    "free",
    "untrusted",
    "secret",
];
/// Additional keys of allow rules: what becomes of other calls.
const PERMITTED: [&str; 1] = ["otherwise"];
/// Additional keys of ask rules: the approvers.
const ASKED: [&str; 5] = ["role", "quorum", "escalate", "attended", "verified"];
/// Additional keys of ask rules: the question.
const TOLD: [&str; 2] = ["reason", "expires"];

/// The context for parsing rules.
pub(super) struct Against<'c> {
    pub(super) catalogue: &'c Catalogue,
    pub(super) roles: &'c BTreeMap<String, Role>,
    pub(super) known: &'c KnownSets,
    pub(super) slots: &'c Slots,
}

/// Returns the display name and the keys of a kind of rule.
fn keys(word: &str) -> (&'static str, Vec<&'static str>) {
    let (what, keys): (_, &[&[&str]]) = match word {
        "allow" => ("`[[allow]]`", &[&COUNTED, &repeat::KEYS, &PERMITTED]),
        "ask" => ("`[[ask]]`", &[&COUNTED, &repeat::KEYS, &ASKED, &TOLD]),
        _ => ("`[[deny]]`", &[]),
    };
    let described = [&matcher::KEYS[..], &DESCRIBED].concat();
    (what, [described, keys.concat()].concat())
}

/// Parses the rule `node`, the `place`-th of its kind.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    word: &'static str,
    place: usize,
    names: &mut BTreeSet<String>,
    against: &Against<'_>,
) -> Option<Rule> {
    let (what, keys) = keys(word);
    let of = source.table(node, what, &keys)?;
    let id = id(source, &of, word, place, names);
    let tool = matcher::read(source, &of, word != "allow", against.catalogue);
    let kind = kind(source, &of, word, against.roles);
    let about = About {
        catalogue: against.catalogue,
        known: against.known,
        slots: against.slots,
        argument: None,
        matched: tool.as_ref().map_or_else(Vec::new, |tool| {
            let each = against.catalogue.tools();
            each.filter(|one| tool.matches(one.name().as_str()))
                .collect()
        }),
    };
    let bounds = tool.is_some().then(|| bounds(source, &of, &about));
    let only = only(source, &of, word);
    let when = when(source, &of, &about);
    let after = after(source, &of, &about);
    let quotas = quota::read(source, &of, &about);
    let repeats = repeat::read(source, &of, &about);
    let spend = quota::spend(source, &of, &about);
    let tokens = of
        .table
        .get("tokens")
        .map_or(Some(0), |node| source.count(node, "`tokens`", 0));
    let secrets = secrets::read(source, &of);
    let passages = flow::read(source, &of);
    let mut rule = Rule::about(id?, kind?, tool?);
    rule.bounds = bounds??;
    rule.only = only?;
    if rule.only {
        rule.bounds.values_mut().for_each(Bound::close);
    }
    if rule
        .bounds
        .values()
        .any(|bound| bound.is_bypassed(word == "deny"))
    {
        let problem = "with `exact`, one field more would lead past the deny or the `not`";
        source.report(of.span.clone(), problem, "remove `exact`");
        return None;
    }
    rule.otherwise = otherwise(source, &of, &rule)?;
    rule.when = when?;
    rule.after = after?;
    rule.quotas = quotas?;
    rule.repeats = repeats?;
    (rule.spend, rule.moves_nothing) = match spend? {
        Moves::Unsaid => (None, false),
        Moves::Nothing => (None, true),
        Moves::Money(spend) => (Some(spend), false),
    };
    rule.tokens = tokens?;
    rule.secrets = secrets?;
    (rule.untrusted, rule.secret) = passages?;
    rule.free = flow::free(source, &of, &about, &rule.bounds)?;
    quota::counts_money(source, &of, &rule)?;
    Some(rule)
}

/// Reads `otherwise`. It is refused in a rule without a bound, which would ask about nothing.
fn otherwise<'t>(source: &mut Source<'t>, of: &Table<'t>, rule: &Rule) -> Option<bool> {
    let Some(node) = of.table.get("otherwise") else {
        return Some(false);
    };
    let (problem, fix) = if node.get_ref().as_str() != Some("ask") {
        let problem = "`otherwise` does not say what becomes of other calls";
        (
            problem,
            "write `otherwise = \"ask\"`, or remove it to have them refused",
        )
    } else if rule.bounds.is_empty() && !rule.only {
        let problem = "the rule has no bound, so there is no other call to ask about";
        (
            problem,
            "bound an argument with `where.<argument> = …`, or remove `otherwise`",
        )
    } else {
        return Some(true);
    };
    source.report(node.span(), problem, fix);
    None
}

/// Reads `only`. It is refused in a deny, because an additional argument would bypass the deny.
fn only<'t>(source: &mut Source<'t>, of: &Table<'t>, word: &str) -> Option<bool> {
    let Some(node) = of.table.get("only") else {
        return Some(false);
    };
    if word == "deny" {
        let problem = "with `only`, one argument more would lead past the deny";
        source.report(node.span(), problem, "remove `only`");
        return None;
    }
    source.boolean(node, "`only`")
}

fn id<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
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

fn kind<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    word: &str,
    roles: &BTreeMap<String, Role>,
) -> Option<RuleKind> {
    match word {
        "allow" => Some(RuleKind::Allow),
        "ask" => question::read(source, of, roles).map(RuleKind::Ask),
        _ => Some(RuleKind::Deny),
    }
}

fn bounds<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &About<'_>,
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
    let mut bounds = BTreeMap::new();
    let mut complete = true;
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        if about.check(source, key.span(), name).is_none() {
            complete = false;
            continue;
        }
        let tools = about.matched.iter();
        let types: Vec<Vec<String>> = tools.map(|tool| tool.arguments().types(name)).collect();
        let about = &About {
            argument: Some(name),
            ..about.clone()
        };
        match Bound::read(source, node, 0, about) {
            Some(bound) => {
                complete &= fits(source, node, &bound, &types);
                complete &= holds_for_links(source, node, (name, &bound), about);
                bounds.insert(name.to_owned(), bound);
            }
            None => complete = false,
        }
    }
    complete.then_some(bounds)
}

/// Reports a bound on paths of an argument that a program gets as text: the program would follow links out of the bound.
fn holds_for_links(
    source: &mut Source<'_>,
    node: &Node<'_>,
    (name, bound): (&str, &Bound),
    about: &About<'_>,
) -> bool {
    let mut tools = about.matched.iter();
    let tool = tools.find(|tool| bound.is_about_paths() && tool.hands_over_as_text(name));
    let Some(tool) = tool else {
        return true;
    };
    let problem = format!(
        "`{}` hands `{name}` to its program as text, so a link there leads out of the bound",
        tool.name()
    );
    let fix = "write `\"kind\": \"path\"` (or `paths` for a list) at that argument of `exec` in the tool catalogue";
    source.report(node.span(), problem, fix);
    false
}

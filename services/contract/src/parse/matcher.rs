//! Parses the tools that a rule applies to: `tool`, `tools`, `effect` and `except`.

use std::collections::BTreeSet;
use std::ops::Range;

use super::source::{Node, Source, Table, place};
use super::tools::unknown_tool;
use crate::catalogue::{Catalogue, Effect, Tool};
use crate::matcher::{Choice, Matcher};
use crate::pattern::{PATTERN_BYTES_MAX, ToolGlob};

/// Maximum number of names and patterns of one rule.
const NAMED_MAX: usize = 200;

/// The keys that choose tools.
pub(super) const KEYS: [&str; 4] = ["tool", "tools", "effect", "except"];

/// Reads the tools of a rule. `restricts` is true for asks and denies: for them, an effect that a tool has only in some
/// of its calls is refused, because the others would not be restricted.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    restricts: bool,
    catalogue: &Catalogue,
) -> Option<Matcher> {
    let [tool, tools, effect, except] = KEYS.map(|key| of.table.get(key));
    let mut named = match (tool, tools) {
        (Some(_), Some(node)) => {
            let problem = "`tool` and `tools` both name the tools of the rule";
            source.report(node.span(), problem, "write all of them in `tools`");
            return None;
        }
        (Some(node), None) => vec![one(source, node, "`tool`", catalogue)?],
        (None, Some(node)) => several(source, node, "`tools`", catalogue)?,
        (None, None) if effect.is_some() => Vec::new(),
        (None, None) => {
            source.required(of, "tool");
            return None;
        }
    };
    let except = except.map_or(Some(Vec::new()), |node| {
        several(source, node, "`except`", catalogue)
    });
    let effect = effect.map_or(Some(None), |node| self::effect(source, node).map(Some));
    let (mut except, effect) = (except?, effect?);
    if effect.is_none() && except.is_empty() && named.len() == 1 {
        return named.pop();
    }
    let is_about = |tool: &&Tool| {
        let name = tool.name().as_str();
        named.is_empty() || named.iter().any(|one| one.matches(name))
    };
    let about: Vec<&Tool> = catalogue.tools().filter(is_about).collect();
    let excepted = |tool: &Tool| except.iter().any(|one| one.matches(tool.name().as_str()));
    let has_effect = |tool: &Tool| effect.is_none_or(|effect| tool.effects().are_all(effect));
    if let Some(effect) = effect.filter(|_| restricts) {
        let partly = |tool: &&&Tool| {
            tool.effects().include(effect) && !tool.effects().are_all(effect) && !excepted(tool)
        };
        if let Some(tool) = about.iter().find(partly) {
            partial(source, of, tool);
            return None;
        }
    }
    let tools: BTreeSet<String> = about
        .iter()
        .filter(|tool| has_effect(tool) && !excepted(tool))
        .map(|tool| tool.name().to_string())
        .collect();
    needed(source, of, &except, |one| {
        let mut about = about.iter();
        let may_have = |tool: &Tool| effect.is_none_or(|effect| tool.effects().include(effect));
        about.any(|tool| one.matches(tool.name().as_str()) && may_have(tool))
    })?;
    if tools.is_empty() {
        nothing(source, of, effect);
        return None;
    }
    named.sort_by_key(Matcher::to_string);
    except.sort_by_key(Matcher::to_string);
    Some(Matcher::Chosen(Choice {
        named,
        effect,
        except,
        tools,
    }))
}

/// Reports a tool that has the effect in some of its calls only.
fn partial(source: &mut Source<'_>, of: &Table<'_>, tool: &Tool) {
    let name = tool.name();
    let problem =
        format!("only some calls of `{name}` have this effect, so the rule would not be about it");
    let fix = format!("write `except = [\"{name}\"]`, and a rule with `tool = \"{name}\"`");
    source.report(place(of, "effect"), problem, fix);
}

/// Reports a rule without a tool.
fn nothing(source: &mut Source<'_>, of: &Table<'_>, effect: Option<Effect>) {
    let Some(effect) = effect else {
        let fix = "remove the rule, or an exception";
        return source.report(place(of, "except"), "`except` leaves no tool", fix);
    };
    let problem = format!(
        "no tool that the rule is about has the effect `{}` in every call",
        effect.word()
    );
    let fix = "name the tools with `tools = […]` instead";
    source.report(place(of, "effect"), problem, fix);
}

/// Reports an exception of a tool that the rule would not be about anyway.
fn needed(
    source: &mut Source<'_>,
    of: &Table<'_>,
    except: &[Matcher],
    excludes: impl Fn(&Matcher) -> bool,
) -> Option<()> {
    let Some(idle) = except.iter().find(|one| !excludes(one)) else {
        return Some(());
    };
    let problem = format!("the rule is not about `{idle}` without this exception either");
    source.report(place(of, "except"), problem, "remove it from `except`");
    None
}

fn effect(source: &mut Source<'_>, node: &Node<'_>) -> Option<Effect> {
    let text = node.get_ref().as_str();
    let found = Effect::ALL.into_iter().find(|one| Some(one.word()) == text);
    if found.is_none() {
        let fix = "write \"read\", \"write\", \"tell\" or \"outward\"";
        source.report(node.span(), "`effect` is no effect of a tool", fix);
    }
    found
}

/// Reads a list of names and patterns, each once.
fn several<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    what: &str,
    catalogue: &Catalogue,
) -> Option<Vec<Matcher>> {
    let items = source.items(node, what)?;
    if items.len() > NAMED_MAX {
        let problem = format!("{what} has more than {NAMED_MAX} entries");
        source.report(node.span(), problem, "use a pattern such as \"file.*\"");
        return None;
    }
    let mut found: Vec<Matcher> = Vec::new();
    let mut complete = true;
    for item in items {
        match one(source, item, what, catalogue) {
            Some(one) if found.contains(&one) => {
                let problem = format!("{what} names `{one}` twice");
                source.report(item.span(), problem, "remove one of them");
                complete = false;
            }
            Some(one) => found.push(one),
            None => complete = false,
        }
    }
    complete.then_some(found)
}

/// Reads the name of a tool, or a pattern that matches one.
fn one(
    source: &mut Source<'_>,
    node: &Node<'_>,
    what: &str,
    catalogue: &Catalogue,
) -> Option<Matcher> {
    let text = source.text(node, what, PATTERN_BYTES_MAX)?;
    named(source, (node.span(), &text), what, catalogue)
}

/// Finds the tool of a name, or the tools of a pattern, at its place in the document.
pub(super) fn named(
    source: &mut Source<'_>,
    (span, text): (Range<usize>, &str),
    what: &str,
    catalogue: &Catalogue,
) -> Option<Matcher> {
    if !text.contains('*') {
        if catalogue.get(text).is_some() {
            return Some(Matcher::Exact(text.to_owned()));
        }
        unknown_tool(source, span, text, catalogue);
        return None;
    }
    let Some(glob) = ToolGlob::new(text) else {
        let fix = "use letters, digits, `_`, `-`, dots and `*`, such as \"file.*\"";
        source.report(span, format!("{what} is no pattern on tool names"), fix);
        return None;
    };
    let mut tools = catalogue.tools();
    if !tools.any(|tool| glob.matches(tool.name().as_str())) {
        unknown_tool(source, span, text, catalogue);
        return None;
    }
    Some(Matcher::Glob(glob))
}

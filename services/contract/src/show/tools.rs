//! Describes the tools of a rule in words.

use crate::catalogue::{Effect, Tool};
use crate::matcher::{Choice, Matcher};
use crate::rule::RuleKind;

use super::words::joined;

/// Describes the tools of a rule of this kind.
pub(super) fn what(matcher: &Matcher, tools: &[&Tool], kind: &RuleKind) -> String {
    match matcher {
        Matcher::Exact(_) | Matcher::Glob(_) => one(matcher, tools),
        Matcher::Chosen(choice) => chosen(choice, tools, kind),
    }
}

fn one(matcher: &Matcher, tools: &[&Tool]) -> String {
    match matcher {
        Matcher::Glob(glob) if glob.as_str() == "*" => "any tool".to_owned(),
        Matcher::Glob(glob) => {
            let fits = |tool: &&&Tool| glob.matches(tool.name().as_str());
            let named = names(tools.iter().filter(fits).copied(), "and");
            format!("what is called like `{glob}` ({named})")
        }
        Matcher::Exact(_) | Matcher::Chosen(_) => format!("`{matcher}`"),
    }
}

fn chosen(choice: &Choice, tools: &[&Tool], kind: &RuleKind) -> String {
    let Choice {
        named,
        effect,
        except,
        tools: _,
    } = choice;
    let word = match kind {
        RuleKind::Deny => "or",
        RuleKind::Allow | RuleKind::Ask(_) => "and",
    };
    let plain = |each: &[Matcher], word: &str| {
        joined(each.iter().map(|one| format!("`{one}`")).collect(), word)
    };
    let but = if except.is_empty() {
        String::new()
    } else {
        format!(", but not {}", plain(except, "or"))
    };
    let Some(effect) = effect else {
        let each = named.iter().map(|each| one(each, tools));
        let each = joined(each.collect(), word);
        return format!("{each}{but}");
    };
    let does = match effect {
        Effect::Read => "changes nothing",
        Effect::Write => "changes something of the owner's",
        Effect::Tell => "tells a host that the contract names something",
        Effect::Outward => "lets something leave",
    };
    let like = if named.is_empty() {
        String::new()
    } else {
        format!(" of {}", plain(named, "and"))
    };
    let tools = names(tools.iter().copied(), word);
    format!("every tool{like} that {does} ({tools}){but}")
}

fn names<'c>(tools: impl Iterator<Item = &'c Tool>, word: &str) -> String {
    let names = tools.map(|tool| format!("`{}`", tool.name()));
    joined(names.collect(), word)
}

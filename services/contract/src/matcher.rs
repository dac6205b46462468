//! The tools that a rule applies to: a name, a pattern, or several of them by list, effect and exception.

use std::collections::BTreeSet;
use std::fmt;

use crate::catalogue::Effect;
use crate::pattern::ToolGlob;
use crate::toml_text::{quoted, quoted_list};

/// The tools that a rule applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matcher {
    /// The tool of this name.
    Exact(String),
    /// Every tool of the catalogue that matches the pattern.
    Glob(ToolGlob),
    /// The tools that a list, an effect and exceptions choose together.
    Chosen(Choice),
}

/// The tools that a list, an effect and exceptions choose together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The names and patterns, sorted by text; empty for all tools.
    pub(crate) named: Vec<Matcher>,
    /// The effect of every call of the tools, if given.
    pub(crate) effect: Option<Effect>,
    /// The names and patterns of exceptions, sorted by text.
    pub(crate) except: Vec<Matcher>,
    /// The chosen tools of the catalogue that the rule was parsed against.
    pub(crate) tools: BTreeSet<String>,
}

impl Matcher {
    /// Returns true if the rule applies to `tool`; case-sensitive.
    #[must_use]
    pub fn matches(&self, tool: &str) -> bool {
        match self {
            Self::Exact(name) => name == tool,
            Self::Glob(glob) => glob.matches(tool),
            Self::Chosen(choice) => choice.tools.contains(tool),
        }
    }

    /// Writes the keys of a rule that parse to the same tools, one per line.
    pub(crate) fn keys(&self) -> String {
        let choice = match self {
            Self::Exact(_) | Self::Glob(_) => {
                return format!("tool = {}\n", quoted(&self.to_string()));
            }
            Self::Chosen(choice) => choice,
        };
        let mut keys = match choice.named.as_slice() {
            [] => String::new(),
            [one] => one.keys(),
            several => format!("tools = {}\n", quoted_list(several)),
        };
        if let Some(effect) = choice.effect {
            keys.push_str(&format!("effect = {}\n", quoted(effect.word())));
        }
        if !choice.except.is_empty() {
            let each: Vec<String> = choice
                .except
                .iter()
                .map(Self::to_string)
                .map(|one| quoted(&one))
                .collect();
            keys.push_str(&format!("except = [{}]\n", each.join(", ")));
        }
        keys
    }
}

/// Writes the name or the pattern, or the names of several tools.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Glob(glob) => glob.fmt(f),
            Self::Chosen(choice) => {
                let names: Vec<&str> = choice.tools.iter().map(String::as_str).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

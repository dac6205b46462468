//! `known`: a value of a set that the owner wrote under `[known]`, if wanted one whose alias the owner's words name.

use std::fmt;
use std::sync::Arc;

use diagnostic::nearest;
use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use super::scalar::{self, Scalar};
use super::spoken::words;
use crate::dead::possible::Possible;
use crate::known::{ALIAS_CHARS_MIN, KnownSet};
use crate::name::NAME_BYTES_MAX;
use crate::parse::source::Node;
use crate::toml_text::{key, quoted};
use crate::words::mention::Mention;

/// A value of a known set.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The set.
    pub set: Arc<KnownSet>,
    /// True if the task text has to contain an alias of the value as whole words; upper and lower case are equal.
    pub named: bool,
}

impl Kind for Known {
    const KEYS: &'static [&'static str] = &["known", "named"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let named = match reader.node("named") {
            Some(node) if node.get_ref().as_str() == Some("task") => Some(node),
            Some(node) => {
                let fix = "write `named = \"task\"`, for an alias in the owner's words";
                reader
                    .source
                    .report(node.span(), "`named` does not say by whom", fix);
                return None;
            }
            None => None,
        };
        let Some(node) = reader.node("known") else {
            let Some(node) = named else {
                return Some(Vec::new());
            };
            let fix = "write `known = \"…\"` beside it, the name of a set of `[known]`";
            reader
                .source
                .report(node.span(), "`named` is about no set", fix);
            return None;
        };
        let set = set(reader, node)?;
        if let Some(node) = named {
            has_aliases(reader, node, &set)?;
        }
        let named = named.is_some();
        Some(vec![Self { set, named }])
    }

    fn types(&self) -> &'static [&'static str] {
        let mut types = self.set.values.iter().map(Scalar::types);
        let first = types.next().unwrap_or_default();
        if types.all(|other| other == first) {
            first
        } else {
            &[]
        }
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let within = scalar::one_of(&self.set.values, value);
        if !self.named || within != Match::Yes {
            return within;
        }
        let Some(words) = words(context) else {
            return Match::No;
        };
        Match::any(self.set.named_in(&words).map(|(one, _)| one.judge(value)))
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        scalar::narrow(&self.set.values, possible);
    }

    fn say(&self, _unit: Unit) -> String {
        let name = &self.set.name;
        if self.named {
            format!("is the one of `{name}` whose name is in the owner's own words")
        } else {
            format!("is one of `{name}`")
        }
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn permits_links(&self) -> bool {
        true
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        if !self.named {
            return self.set.values.len() == 1;
        }
        let Some(words) = words(context) else {
            return false;
        };
        let plainly = |places: &Vec<Mention>| !places.iter().all(|one| words.doubts(one));
        let named = self.set.named_in(&words);
        let mut named = named.filter(|(_, places)| plainly(places));
        let first = named.next().map(|(one, _)| one);
        let is_it = first.is_some_and(|first| first.judge(value) == Match::Yes);
        is_it && named.all(|(other, _)| Some(other) == first)
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let words = words(context).filter(|_| self.named)?;
        let named = self.set.named_in(&words);
        let same = named.filter(|(one, _)| one.judge(value) == Match::Yes);
        let places: Vec<Mention> = same.flat_map(|(_, places)| places).collect();
        let doubtful = places.iter().all(|one| words.doubts(one));
        let first = places.first().filter(|_| doubtful)?;
        Some(words.passage(first))
    }
}

/// Finds the set of a name.
fn set<'t>(reader: &mut Reader<'_, 't, '_>, node: &'t Node<'t>) -> Option<Arc<KnownSet>> {
    let name = reader.source.text(node, "`known`", NAME_BYTES_MAX)?;
    let known = reader.about.known;
    if let Some(set) = known.get(&name) {
        return Some(Arc::clone(set));
    }
    let fix = nearest(&name, known.keys().map(String::as_str)).map_or_else(
        || format!("add `[known]` with `{} = […]`", key(&name)),
        |near| format!("did you mean `{near}`?"),
    );
    let problem = format!("the contract has no set `{name}` under `[known]`");
    reader.source.report(node.span(), problem, fix);
    None
}

/// Reports a set whose values cannot be named by the owner's words.
fn has_aliases<'t>(
    reader: &mut Reader<'_, 't, '_>,
    node: &'t Node<'t>,
    set: &KnownSet,
) -> Option<()> {
    let name = &set.name;
    let (problem, fix) = if set.aliases.is_empty() {
        let problem = format!("the values of `{name}` have no aliases that words could name");
        (
            problem,
            format!("write `[known.{name}]` with one line `alias = value` for each"),
        )
    } else if let Some(alias) = set.weak_alias() {
        let problem =
            format!("the alias {alias:?} of `{name}` is too short to be told from other words");
        let fix = format!("write an alias of at least {ALIAS_CHARS_MIN} characters with a letter");
        (problem, fix)
    } else {
        return Some(());
    };
    reader.source.report(node.span(), problem, fix);
    None
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "known = {}", quoted(&self.set.name))?;
        if self.named {
            f.write_str(", named = \"task\"")?;
        }
        Ok(())
    }
}

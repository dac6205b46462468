//! Alternatives of a bound: one bound, or a list of values and bounds.

use std::fmt;

use serde_json::Value;
use toml::de::DeValue;

use super::kind::{Inner, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::parse::source::Node;
use crate::show::words::joined;
use crate::toml_text::one_or_list;

/// Maximum number of alternatives of one bound; a list of plain values is one alternative.
const ALTERNATIVES_MAX: usize = 64;

/// Bounds of which at least one matches; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alternatives<B>(pub(super) Vec<B>);

impl<B: Inner + Clone + PartialEq> Alternatives<B> {
    /// Reads the alternatives under a key, if present.
    pub(super) fn read(reader: &mut Reader<'_, '_, '_>, key: &str) -> Option<Vec<Self>> {
        reader.one(key, |reader, node| Self::list(reader, node, key).map(Self))
    }

    /// Reads one bound or a list; a list of plain values is one bound, their set.
    fn list<'t>(reader: &mut Reader<'_, 't, '_>, node: &'t Node<'t>, key: &str) -> Option<Vec<B>> {
        let nests =
            |node: &Node<'_>| matches!(node.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let items = node.get_ref().as_array();
        let Some(items) = items.filter(|items| items.iter().any(nests)) else {
            return Some(vec![reader.bound(node)?]);
        };
        if items.len() > ALTERNATIVES_MAX {
            let problem = format!("`{key}` has more than {ALTERNATIVES_MAX} entries");
            let fix = "write plain values as one list of their own, or split the rule";
            reader.source.report(node.span(), problem, fix);
            return None;
        }
        let mut each: Vec<B> = Vec::new();
        for item in items {
            let bound: B = reader.bound(item)?;
            if each.contains(&bound) {
                let problem = format!("`{key}` has {bound} twice");
                let fix = "remove one of them";
                reader.source.report(item.span(), problem, fix);
                return None;
            }
            each.push(bound);
        }
        Some(each)
    }

    /// Matches if one of them matches.
    pub(super) fn judge(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match {
        Match::any(self.0.iter().map(|one| one.judge(value, context)))
    }

    /// Returns true if each of them matches and determines the value: one that permits another value is a choice.
    pub(super) fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        self.0.iter().all(|one| {
            one.judge(Some(value), context) == Match::Yes && one.determines(value, context)
        })
    }

    /// See [`super::kind::Kind::permits_links`].
    pub(super) fn permits_links(&self) -> bool {
        self.0.iter().all(Inner::permits_links)
    }

    /// See [`super::kind::Kind::doubt`]: without doubt if any of them that matches has none.
    pub(super) fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let matching = self.0.iter();
        let mut matching = matching
            .filter(|one| one.judge(Some(value), context) == Match::Yes)
            .map(|one| one.doubt(value, context));
        let first = matching.next()??;
        matching.all(|doubt| doubt.is_some()).then_some(first)
    }

    /// Widens a single bound, or adds exactly this value.
    pub(super) fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        if let [one] = &self.0[..]
            && let Some(wider) = one.widen(Some(value), context)
        {
            return Some(Self(vec![wider]));
        }
        let mut wider = self.clone();
        wider.0.push(B::exactly(value)?);
        Some(wider)
    }

    /// The predicate of a sentence about a value that one of them matches.
    pub(super) fn say(&self, unit: Unit) -> String {
        joined(self.0.iter().map(|one| one.say(unit)).collect(), "or")
    }

    /// The predicate of a sentence about a value that none of them matches.
    pub(super) fn say_not(&self, unit: Unit) -> String {
        joined(self.0.iter().map(|one| one.say_not(unit)).collect(), "and")
    }
}

impl<B: fmt::Display> fmt::Display for Alternatives<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_or_list(&self.0))
    }
}

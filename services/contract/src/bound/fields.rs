//! `fields`: an object whose named fields match.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::kind::{Inner, Kind, Reader, Unit};
use super::matching::{CallContext, Match, lookup};
use crate::show::words::joined;
use crate::toml_text::key;

/// An object whose named fields match.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields<B>(pub BTreeMap<String, B>);

impl<B: Inner + Clone> Kind for Fields<B> {
    const KEYS: &'static [&'static str] = &["fields"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("fields", |reader, node| {
            let table = node.get_ref().as_table().filter(|table| !table.is_empty());
            let Some(table) = table else {
                let wanted = "`fields = { name = …, … }` with at least one field";
                reader.source.mistyped(node, "`fields`", wanted);
                return None;
            };
            let mut fields = BTreeMap::new();
            for (key, node) in table {
                let bound = B::read(reader.source, node, reader.depth + 1, reader.about)?;
                fields.insert(key.get_ref().to_string(), bound);
            }
            Some(Self(fields))
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["object"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let Some(object) = value.as_object() else {
            return Match::Unknown;
        };
        let fields = self.0.iter();
        Match::every(fields.map(|(name, bound)| bound.judge_at(object, name, context)))
    }

    fn say(&self, _unit: Unit) -> String {
        let fields = self.0.iter();
        let each = fields.map(|(name, bound)| format!("its `{name}` {}", bound.say(Unit::Either)));
        format!("is such that {}", joined(each.collect(), "and"))
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        value.as_object().is_some_and(|object| {
            object.iter().all(|(name, value)| {
                let bound = self.0.get(name);
                value.is_null() || bound.is_some_and(|bound| bound.determines(value, context))
            })
        })
    }

    fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        let object = value.as_object()?;
        let each = self.0.iter().map(|(name, bound)| {
            let fits = bound.judge_at(object, name, context) == Match::Yes;
            let bound = if fits {
                bound.clone()
            } else {
                bound.widen(lookup(object, name), context)?
            };
            Some((name.clone(), bound))
        });
        each.collect::<Option<_>>().map(Self)
    }
}

impl<B: fmt::Display> fmt::Display for Fields<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.0.iter();
        let each = fields.map(|(name, bound)| format!("{} = {bound}", key(name)));
        write!(f, "fields = {{ {} }}", each.collect::<Vec<_>>().join(", "))
    }
}

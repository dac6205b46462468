//! `fields`: an object whose named fields match.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::kind::{Inner, Kind, Reader, Unit};
use super::matching::{CallContext, Match, lookup};
use crate::dead::possible::{Possible, Reason};
use crate::schema::Arguments;
use crate::schema::domain::{Presence, TypeSet};
use crate::show::words::joined;
use crate::toml_text::key;

/// An object whose named fields match.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields<B> {
    /// The bounds, by the name of the field.
    pub fields: BTreeMap<String, B>,
    /// True if an object with another field does not match; null counts as absent.
    pub exact: bool,
}

impl<B> Fields<B> {
    /// Returns true if every field that is present has a bound. A null under a name that the schema does not have is
    /// present, because the name carries data.
    fn names_all(&self, object: &Map<String, Value>, schema: &Arguments) -> bool {
        let mut each = object.iter();
        each.all(|(name, value)| {
            self.fields.contains_key(name) || (value.is_null() && schema.names_somewhere(name))
        })
    }
}

impl<B: Inner + Clone> Kind for Fields<B> {
    const KEYS: &'static [&'static str] = &["fields", "exact"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let exact = match reader.node("exact") {
            Some(node) if reader.node("fields").is_none() => {
                let fix = "write `fields = { name = …, … }` beside it";
                reader
                    .source
                    .report(node.span(), "`exact` is about the fields of an object", fix);
                return None;
            }
            Some(node) => reader.source.boolean(node, "`exact`")?,
            None => false,
        };
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
            Some(Self { fields, exact })
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["object"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let Some(object) = value.as_object() else {
            return Match::Unknown;
        };
        if self.exact && !self.names_all(object, context.schema) {
            return Match::No;
        }
        let fields = self.fields.iter();
        Match::every(fields.map(|(name, bound)| bound.judge_at(object, name, context)))
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let object = value.as_object()?;
        let mut fields = self.fields.iter();
        fields.find_map(|(name, bound)| bound.doubt(lookup(object, name)?, context))
    }

    fn limits_length(&self) -> bool {
        self.exact
    }

    fn permits_links(&self) -> bool {
        self.exact && self.fields.values().all(Inner::permits_links)
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.of(TypeSet::OBJECT);
        let domain = possible.domain();
        for (name, bound) in &self.fields {
            let field = domain.field(name);
            let presence = if domain.requires(name) {
                field.presence()
            } else {
                Presence::Sometimes
            };
            if let Some(Reason { problem, fix }) = bound.dead(&field, presence, possible.around) {
                possible.never(Reason::new(format!("`{name}`: {problem}"), fix));
            }
        }
        let further = |name: &&str| {
            let null = domain.field(name).presence() == Presence::Sometimes;
            !null && !self.fields.contains_key(*name)
        };
        if self.exact
            && let Some(name) = domain.required().find(further)
        {
            let problem =
                format!("every such object has `{name}`, and the object is exact without it");
            let fix = format!("add `{name} = …` to `fields`, or remove `exact` and `only`");
            possible.never(Reason::new(problem, fix));
        }
    }

    fn say(&self, _unit: Unit) -> String {
        let fields = self.fields.iter();
        let each = fields.map(|(name, bound)| format!("`{name}` {}", bound.say(Unit::Either)));
        let each = joined(each.collect(), "and");
        if self.exact {
            format!("has only these fields: {each}")
        } else {
            format!("has these fields: {each}, and any other fields")
        }
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        let Some(object) = value.as_object().filter(|_| self.exact) else {
            return false;
        };
        let mut fields = self.fields.iter();
        fields.all(|(name, bound)| match object.get(name) {
            Some(value) if !value.is_null() => bound.determines(value, context),
            Some(_) | None => bound.demands_absence(),
        })
    }

    fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        let object = value.as_object()?;
        if self.exact && !self.names_all(object, context.schema) {
            return None;
        }
        let each = self.fields.iter().map(|(name, bound)| {
            let fits = bound.judge_at(object, name, context) == Match::Yes;
            let bound = if fits {
                bound.clone()
            } else {
                bound.widen(lookup(object, name), context)?
            };
            Some((name.clone(), bound))
        });
        Some(Self {
            fields: each.collect::<Option<_>>()?,
            exact: self.exact,
        })
    }
}

impl<B: fmt::Display> fmt::Display for Fields<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields.iter();
        let each = fields.map(|(name, bound)| format!("{} = {bound}", key(name)));
        write!(f, "fields = {{ {} }}", each.collect::<Vec<_>>().join(", "))?;
        if self.exact {
            f.write_str(", exact = true")?;
        }
        Ok(())
    }
}

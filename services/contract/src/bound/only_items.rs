//! `only_items`: a list, also an empty one, whose items are all of these.

use std::fmt;

use serde_json::Value;

use super::alternatives::Alternatives;
use super::kind::{Inner, Kind, Reader, Unit};
use super::matching::{CallContext, Match};

/// A list whose items each match at least one of these bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlyItems<B>(pub(super) Alternatives<B>);

impl<B: Inner + Clone + PartialEq> Kind for OnlyItems<B> {
    const KEYS: &'static [&'static str] = &["only_items"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let found = Alternatives::read(reader, "only_items")?;
        Some(found.into_iter().map(Self).collect())
    }

    fn types(&self) -> &'static [&'static str] {
        &["array"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        value.as_array().map_or(Match::Unknown, |items| {
            Match::every(items.iter().map(|item| self.0.judge(Some(item), context)))
        })
    }

    fn permits_links(&self) -> bool {
        self.0.permits_links()
    }

    fn say(&self, _unit: Unit) -> String {
        let each = self.0.say(Unit::Either);
        format!("has any number of items, and each item {each}")
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        // With one item possible, the empty list and this item are a choice.
        self.0.0.is_empty()
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let mut items = value.as_array()?.iter();
        items.find_map(|item| self.0.doubt(item, context))
    }

    fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        let mut wider = self.0.clone();
        for item in value.as_array()? {
            if wider.judge(Some(item), context) != Match::Yes {
                wider = wider.widen(item, context)?;
            }
        }
        Some(Self(wider))
    }
}

impl<B: fmt::Display> fmt::Display for OnlyItems<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "only_items = {}", self.0)
    }
}

//! `every`: a list with at least one item whose items all match; an empty list is unknown.

use std::fmt;

use serde_json::Value;

use super::kind::{Inner, Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::dead::possible::Possible;

/// A list with at least one item whose items all match.
#[derive(Debug, Clone, PartialEq)]
pub struct Every<B>(pub Box<B>);

impl<B: Inner + Clone> Kind for Every<B> {
    const KEYS: &'static [&'static str] = &["every"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let found = reader.inner("every")?;
        Some(
            found
                .into_iter()
                .map(|inner| Self(Box::new(inner)))
                .collect(),
        )
    }

    fn types(&self) -> &'static [&'static str] {
        &["array"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        match value.as_array() {
            Some(items) if !items.is_empty() => {
                Match::every(items.iter().map(|item| self.0.judge(Some(item), context)))
            }
            Some(_) | None => Match::Unknown,
        }
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let mut items = value.as_array()?.iter();
        items.find_map(|item| self.0.doubt(item, context))
    }

    fn permits_links(&self) -> bool {
        self.0.permits_links()
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.some_items();
        let item = possible.domain().item();
        if let Some(reason) = self.0.dead(&item, item.presence(), possible.around) {
            possible.never(reason);
        }
    }

    fn say(&self, _unit: Unit) -> String {
        let each = self.0.say(Unit::Either);
        format!("has at least one item, and each item {each}")
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        // A second item could be there or not.
        matches!(value.as_array().map(Vec::as_slice), Some([item]) if self.0.determines(item, context))
    }

    fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        let mut wider = B::clone(&self.0);
        // An item that already matches the widened bound is not added twice.
        for item in value.as_array()? {
            if wider.judge(Some(item), context) != Match::Yes {
                wider = wider.widen(Some(item), context)?;
            }
        }
        Some(Self(Box::new(wider)))
    }
}

impl<B: fmt::Display> fmt::Display for Every<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "every = {}", self.0)
    }
}

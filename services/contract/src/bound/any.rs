//! `any`: a list with an item that matches.

use std::fmt;

use serde_json::Value;

use super::kind::{Inner, Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::dead::possible::Possible;

/// A list with an item that matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Any<B>(pub Box<B>);

impl<B: Inner> Kind for Any<B> {
    const KEYS: &'static [&'static str] = &["any"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let found = reader.inner("any")?;
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
        value.as_array().map_or(Match::Unknown, |items| {
            Match::any(items.iter().map(|item| self.0.judge(Some(item), context)))
        })
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let mut items = value.as_array()?.iter();
        items.find_map(|item| self.0.doubt(item, context))
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.some_items();
        let item = possible.domain().item();
        if let Some(reason) = self.0.dead(&item, item.presence(), possible.around) {
            possible.never(reason);
        }
    }

    fn say(&self, _unit: Unit) -> String {
        format!("has an item that {}", self.0.say(Unit::Either))
    }
}

impl<B: fmt::Display> fmt::Display for Any<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "any = {}", self.0)
    }
}

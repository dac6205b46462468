//! `links`: a text with or without links, addresses and account numbers.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::links::carried;

/// False if the text has no link, address or account number; true if it may have some, also as free text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Links(pub bool);

impl Kind for Links {
    const KEYS: &'static [&'static str] = &["links"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("links", |reader, node| {
            reader.source.boolean(node, "`links`").map(Self)
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["string", "array", "object"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Match::Unknown,
            Value::String(_) | Value::Array(_) | Value::Object(_) => {
                Match::of(self.0 || carried(value).is_none())
            }
        }
    }

    fn permits_links(&self) -> bool {
        self.0
    }

    fn say(&self, _unit: Unit) -> String {
        let said = if self.0 {
            "may have links, addresses and account numbers"
        } else {
            "has no link, address or account number"
        };
        said.to_owned()
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "links = {}", self.0)
    }
}

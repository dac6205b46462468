//! `prefix`: a text that starts with another text.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, VALUE_CHARS_MAX};
use super::matching::{CallContext, Match};
use crate::toml_text::quoted;

/// A text that starts with this text.
#[derive(Debug, Clone, PartialEq)]
pub struct Prefix(pub String);

impl Kind for Prefix {
    const KEYS: &'static [&'static str] = &["prefix"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("prefix", |reader, node| {
            let text = reader.source.text(node, "`prefix`", VALUE_CHARS_MAX);
            text.map(Self)
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        let text = value.as_str();
        Match::told(text.map(|text| text.starts_with(self.0.as_str())))
    }

    fn say(&self, _unit: Unit) -> String {
        format!("begins with {}", quoted(&self.0))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prefix = {}", quoted(&self.0))
    }
}

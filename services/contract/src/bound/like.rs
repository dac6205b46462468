//! `like`: a text that matches a pattern with `*`.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::pattern::{PATTERN_BYTES_MAX, TextGlob};
use crate::toml_text::quoted;

/// A text that matches the pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Like(pub TextGlob);

impl Kind for Like {
    const KEYS: &'static [&'static str] = &["like"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("like", |reader, node| {
            let text = reader.source.text(node, "the pattern", PATTERN_BYTES_MAX)?;
            let glob = TextGlob::new(&text);
            if glob.is_none() {
                let problem = format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes");
                reader.source.report(node.span(), problem, "shorten it");
            }
            glob.map(Self)
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        Match::told(value.as_str().map(|text| self.0.matches(text)))
    }

    fn say(&self, _unit: Unit) -> String {
        format!("reads like {}", quoted(self.0.as_str()))
    }
}

impl fmt::Display for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "like = {}", quoted(self.0.as_str()))
    }
}

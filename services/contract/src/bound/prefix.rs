//! `prefix`: a text that starts with another text.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, VALUE_CHARS_MAX};
use super::matching::{CallContext, Match};
use super::texts::Texts;
use crate::dead::possible::Possible;
use crate::dead::text::Text;

/// A text that starts with one of these texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Prefix(pub Texts);

impl Kind for Prefix {
    const KEYS: &'static [&'static str] = &["prefix"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let found = Texts::read(reader, "prefix", VALUE_CHARS_MAX)?;
        Some(found.into_iter().map(Self).collect())
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        self.0.judge(value, |own, text| text.starts_with(own))
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        match self.0.exactly() {
            Some(texts) => possible.text(Text::Prefix(texts)),
            None => possible.types(self.types()),
        }
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        format!("begins with {}", self.0.say())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prefix = {}", self.0)
    }
}

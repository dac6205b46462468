//! `suffix`: a text that ends with another text.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, VALUE_CHARS_MAX};
use super::matching::{CallContext, Match};
use super::texts::Texts;
use crate::dead::possible::Possible;
use crate::dead::text::Text;

/// A text that ends with one of these texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Suffix(pub Texts);

impl Kind for Suffix {
    const KEYS: &'static [&'static str] = &["suffix"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let found = Texts::read(reader, "suffix", VALUE_CHARS_MAX)?;
        Some(found.into_iter().map(Self).collect())
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        self.0.judge(value, |own, text| text.ends_with(own))
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        match self.0.exactly() {
            Some(texts) => possible.text(Text::Suffix(texts)),
            None => possible.types(self.types()),
        }
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        format!("ends with {}", self.0.say())
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "suffix = {}", self.0)
    }
}

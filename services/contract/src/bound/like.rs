//! `like`: a text that matches a pattern with `*`.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use super::scalar::{self, Scalar};
use super::texts::Texts;
use crate::dead::possible::Possible;
use crate::dead::text::Text;
use crate::pattern::{PATTERN_BYTES_MAX, text_fits};

/// A text that matches one of the patterns.
#[derive(Debug, Clone, PartialEq)]
pub struct Like(pub Texts);

impl Kind for Like {
    const KEYS: &'static [&'static str] = &["like"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let found = Texts::read(reader, "like", PATTERN_BYTES_MAX)?;
        Some(found.into_iter().map(Self).collect())
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        self.0.judge(value, text_fits)
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        self.0.as_written().is_some_and(|text| !text.contains('*'))
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        match self.0.exactly() {
            Some(texts) => {
                if texts.iter().all(|text| !text.contains('*')) {
                    let texts = texts.iter().map(|text| Scalar::Text(text.clone()));
                    scalar::narrow(&texts.collect::<Vec<_>>(), possible);
                }
                possible.text(Text::Like(texts));
            }
            None => possible.types(self.types()),
        }
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        format!("reads like {}", self.0.say())
    }
}

impl fmt::Display for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "like = {}", self.0)
    }
}

//! `is`: exactly one of these values, beside other keys such as `optional`.

use std::fmt;

use serde_json::Value;
use toml::de::DeValue;

use super::ignore_case::{IgnoreCase, SAID, compared};
use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use super::scalar::{self, Scalar};
use crate::dead::possible::Possible;
use crate::show::words::list;
use crate::toml_text::one_or_list;

/// One of these values; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Is {
    /// The values.
    pub values: Vec<Scalar>,
    /// True if the case of texts is ignored.
    pub ignores_case: bool,
}

impl Kind for Is {
    const KEYS: &'static [&'static str] = &["is"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let ignores_case = IgnoreCase::is_set(reader)?;
        reader.one("is", |reader, node| {
            let values = match node.get_ref() {
                DeValue::Array(_) => scalar::read_set(reader.source, node)?,
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Table(_) => vec![scalar::read(reader.source, node)?],
            };
            Some(Self {
                values,
                ignores_case,
            })
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["string", "integer", "number", "boolean"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        let Some(text) = value.as_str().filter(|_| self.ignores_case) else {
            return scalar::one_of(&self.values, value);
        };
        let text = compared(text, true);
        let mut texts = self.values.iter().filter_map(Scalar::as_text).peekable();
        if texts.peek().is_none() {
            return Match::Unknown;
        }
        Match::of(texts.any(|own| compared(own, true) == text))
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn permits_links(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        if !self.ignores_case {
            scalar::narrow(&self.values, possible);
        }
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        let values = list(&self.values, "or");
        if self.ignores_case {
            format!("is {values} {SAID}")
        } else {
            format!("is {values}")
        }
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        self.values.len() == 1 && !self.ignores_case
    }

    fn widen(&self, value: &Value, _context: &CallContext<'_>) -> Option<Self> {
        let mut wider = self.clone();
        wider.values.push(Scalar::of(value)?);
        Some(wider)
    }
}

impl fmt::Display for Is {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is = {}", one_or_list(&self.values))
    }
}

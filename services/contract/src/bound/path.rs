//! `path`, or `glob`: a relative path that matches a pattern.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::dead::possible::Possible;
use crate::dead::text::Text;
use crate::parse::source::{Node, Source};
use crate::pattern::{PATTERN_BYTES_MAX, PathGlob};
use crate::toml_text::quoted;

/// A relative path that matches the pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Path(pub PathGlob);

impl Kind for Path {
    const KEYS: &'static [&'static str] = &["glob", "path"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        if let (Some(_), Some(second)) = (reader.node("glob"), reader.node("path")) {
            let problem = "`glob` and `path` are two words for one bound";
            reader
                .source
                .report(second.span(), problem, "keep one of them");
            return None;
        }
        let key = if reader.node("glob").is_some() {
            "glob"
        } else {
            "path"
        };
        reader.one(key, |reader, node| pattern(reader.source, node).map(Self))
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        Match::told(value.as_str().and_then(|text| self.0.judge(text)))
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        !self.0.as_str().contains('*')
    }

    fn permits_links(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.text(Text::Path(self.0.as_str().to_owned()));
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        format!(
            "is a path in the workspace like {}",
            quoted(self.0.as_str())
        )
    }
}

fn pattern(source: &mut Source<'_>, node: &Node<'_>) -> Option<PathGlob> {
    let text = source.text(node, "the pattern", PATTERN_BYTES_MAX)?;
    PathGlob::new(&text)
        .map_err(|error| {
            let message = error.to_string();
            let (problem, fix) = message.split_once("; ").unwrap_or((&message, ""));
            source.report(node.span(), problem, fix);
        })
        .ok()
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path = {}", quoted(self.0.as_str()))
    }
}

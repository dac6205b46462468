//! `optional`: an argument that is absent or null matches; otherwise the rest of the bound applies.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};

/// An argument that may be absent or null.
#[derive(Debug, Clone, PartialEq)]
pub struct Optional;

impl Kind for Optional {
    const KEYS: &'static [&'static str] = &["optional"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("optional", |reader, node| {
            if reader.source.boolean(node, "`optional`")? {
                return Some(Self);
            }
            let problem = "`optional = false` says nothing";
            let fix = "remove it: arguments that are bounded have to be there";
            reader.source.report(node.span(), problem, fix);
            None
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &[]
    }

    fn judge(&self, _value: &Value, _context: &CallContext<'_>) -> Match {
        Match::Yes
    }

    fn say(&self, _unit: Unit) -> String {
        "is left out or anything at all".to_owned()
    }
}

impl fmt::Display for Optional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("optional = true")
    }
}

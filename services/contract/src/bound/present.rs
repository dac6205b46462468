//! `present`: the presence of an argument; null counts as absent. Never `Unknown`.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::dead::possible::{Possible, Reason};
use crate::schema::domain::TypeSet;

/// True if the argument must be present and not null.
#[derive(Debug, Clone, PartialEq)]
pub struct Present(pub bool);

impl Kind for Present {
    const KEYS: &'static [&'static str] = &["present"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("present", |reader, node| {
            let present = reader.source.boolean(node, "`present`")?;
            if reader.node("optional").is_some() {
                let problem = "`present` and `optional` contradict each other";
                reader
                    .source
                    .report(node.span(), problem, "keep one of them");
                return None;
            }
            if !present && reader.of.table.len() > 1 {
                let problem = "an argument that is not there has nothing else to bound";
                let fix = "write `optional = true` instead";
                reader.source.report(node.span(), problem, fix);
                return None;
            }
            Some(Self(present))
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &[]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        Match::of(self.0 != value.is_null())
    }

    fn judge_argument(&self, value: Option<&Value>, _context: &CallContext<'_>) -> Match {
        Match::of(self.0 == value.is_some_and(|value| !value.is_null()))
    }

    fn limits_length(&self) -> bool {
        !self.0
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        if self.0 {
            possible.of(TypeSet::PRESENT);
        } else {
            let problem = "every call of the tool has this, and the bound wants it absent";
            possible.never(Reason::new(problem, "bound its value, or remove the rule"));
        }
    }

    fn say(&self, _unit: Unit) -> String {
        let said = if self.0 { "is given" } else { "is not given" };
        said.to_owned()
    }
}

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "present = {}", self.0)
    }
}

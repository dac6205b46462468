//! `not`: a value that none of several bounds matches.

use std::fmt;

use serde_json::Value;

use super::alternatives::Alternatives;
use super::kind::{Inner, Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::dead::possible::Possible;

/// A value that none of these bounds matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Not<B>(pub(super) Alternatives<B>);

impl<B: Inner + Clone + PartialEq> Kind for Not<B> {
    const KEYS: &'static [&'static str] = &["not"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let found = Alternatives::read(reader, "not")?;
        Some(found.into_iter().map(Self).collect())
    }

    fn types(&self) -> &'static [&'static str] {
        &[]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        self.judge_argument(Some(value), context)
    }

    fn judge_argument(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match {
        self.0.judge(value, context).opposite()
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        let domain = possible.domain();
        let reason = self.0.0.iter().find_map(|one| one.never_differs(&domain));
        if let Some(reason) = reason {
            possible.never(reason);
        }
        possible.keep(|value, context| Match::of(self.judge(value, context) != Match::No));
    }

    fn say(&self, unit: Unit) -> String {
        self.0.say_not(unit)
    }
}

impl<B: fmt::Display> fmt::Display for Not<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not = {}", self.0)
    }
}

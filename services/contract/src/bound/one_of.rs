//! `one_of`: a value that at least one of several bounds matches.

use std::fmt;

use serde_json::Value;

use super::alternatives::Alternatives;
use super::kind::{Inner, Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::dead::possible::Possible;

/// A value that at least one of these bounds matches.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOf<B>(pub(super) Alternatives<B>);

impl<B: Inner + Clone + PartialEq> Kind for OneOf<B> {
    const KEYS: &'static [&'static str] = &["one_of"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        if let Some(node) = reader.node("one_of")
            && node
                .get_ref()
                .as_array()
                .is_none_or(|items| items.len() < 2)
        {
            let problem = "`one_of` needs a list of at least two bounds";
            let fix = "add a bound to the list, or write the one bound without `one_of`";
            reader.source.report(node.span(), problem, fix);
            return None;
        }
        let found = Alternatives::read(reader, "one_of")?;
        Some(found.into_iter().map(Self).collect())
    }

    fn types(&self) -> &'static [&'static str] {
        &[]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        self.0.judge(Some(value), context)
    }

    fn judge_argument(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match {
        self.0.judge(value, context)
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn permits_links(&self) -> bool {
        self.0.permits_links()
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        let domain = possible.domain();
        let each = self.0.0.iter();
        let dead = each.map(|one| one.dead(&domain, domain.presence(), possible.around));
        // One alternative that can match is enough.
        if let Some(reasons) = dead.collect::<Option<Vec<_>>>() {
            reasons
                .into_iter()
                .take(1)
                .for_each(|reason| possible.never(reason));
        }
    }

    fn say(&self, unit: Unit) -> String {
        match self.0.0.len() {
            1 => self.0.say(unit),
            _ => format!("either {}", self.0.say(unit)),
        }
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        self.0.determines(value, context)
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        self.0.doubt(value, context)
    }

    fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        self.0.widen(value, context).map(Self)
    }
}

impl<B: fmt::Display> fmt::Display for OneOf<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one_of = {}", self.0)
    }
}

//! A slot as a contract defines it: its kind, and a bound on its value.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bound::Bound;
use crate::bound::kind::{Inner as _, Unit};
use crate::slot::Slot;

/// The slots of a contract by name.
pub(crate) type SlotRules = BTreeMap<String, SlotRule>;

/// A slot and the bound on its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlotRule {
    pub(crate) slot: Arc<Slot>,
    /// A bound on the value alone.
    pub(crate) is: Option<Bound>,
}

impl SlotRule {
    /// Describes the values that it takes: `an e-mail address that reads like "*@x.example"`.
    pub(crate) fn said(&self) -> String {
        let kind = self.slot.said();
        self.is.as_ref().map_or_else(
            || kind.to_owned(),
            |bound| format!("{kind} that {}", bound.say(Unit::Characters)),
        )
    }

    /// Describes the slot in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let (name, said) = (&self.slot.name, self.said());
        if self.slot.optional {
            format!("The owner may fill in `{name}` with each task: {said}.")
        } else {
            format!("The owner fills in `{name}` with each task: {said}.")
        }
    }
}

//! The effects of the calls of a tool.

use serde::{Deserialize, Serialize};

use crate::bound::matching::{CallContext, Match};
use crate::cedar::Condition;

/// The effect of a call outside the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something that belongs to the owner.
    Write,
    /// Tells something to a host that the contract names, and changes nothing there.
    Tell,
    /// Sends something out of the owner's control.
    Outward,
}

/// The effects of the calls of a tool.
#[derive(Debug, PartialEq)]
pub struct Effects {
    /// Conditional effects: the first condition that is true decides.
    pub some: Vec<(Condition, Effect)>,
    /// The effect of all other calls.
    pub other: Effect,
}

impl Effect {
    /// All effects, from inward to outward.
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Tell, Self::Outward];

    /// The word in the catalogue and in contracts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Tell => "tell",
            Self::Outward => "outward",
        }
    }
}

impl Effect {
    /// Returns true if something leaves.
    #[must_use]
    pub const fn leaves(self) -> bool {
        match self {
            Self::Read | Self::Write => false,
            Self::Tell | Self::Outward => true,
        }
    }
}

impl Effects {
    /// Returns true if every call has this effect.
    pub(crate) fn are_all(&self, effect: Effect) -> bool {
        self.other == effect && self.some.iter().all(|(_, one)| *one == effect)
    }

    /// Returns true if a call can have this effect.
    pub(crate) fn include(&self, effect: Effect) -> bool {
        self.other == effect || self.some.iter().any(|(_, one)| *one == effect)
    }

    /// Returns true if a call can change something, at the owner's or elsewhere.
    pub(super) fn change(&self) -> bool {
        self.include(Effect::Write) || self.include(Effect::Outward)
    }

    /// Returns true if every call lets something leave.
    pub(super) fn all_leave(&self) -> bool {
        let some = self.some.iter().map(|(_, effect)| *effect);
        some.chain([self.other]).all(Effect::leaves)
    }

    /// Returns the most outward effect.
    #[must_use]
    pub fn most(&self) -> Effect {
        let some = self.some.iter().map(|(_, effect)| *effect);
        some.fold(self.other, Effect::max)
    }

    /// Returns the effect of one call; the most outward effect if a condition is unknown.
    pub(super) fn of(&self, context: &CallContext<'_>) -> Effect {
        for (when, effect) in &self.some {
            match when.judge(context) {
                Match::Yes => return *effect,
                Match::No => {}
                Match::Unknown => return self.most(),
            }
        }
        self.other
    }
}

//! Folds the recorded facts about one task into the state of its steps and items.

use bus_schema::ActionId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::limits::{ATTEMPTS_MAX, ITEMS_MAX};
use crate::playbook::STEPS_MAX;

/// One item of one step, by position, both counted from 0. A step without `for_each` has item 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRef {
    /// Position of the step in the playbook.
    pub step: u16,
    /// Position of the item in the list of the step.
    pub item: u16,
}

/// One recorded fact about the task, in stream order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Fact {
    /// The worker proposed an action, exactly as [`Todo::Propose`](crate::Todo) specifies.
    Proposed {
        /// The action.
        action: ActionId,
        /// The item that it serves.
        at: StepRef,
        /// The number of items of the step: 1 without `for_each`.
        items: u16,
        /// The attempt, counted from 1.
        attempt: u8,
    },
    /// Policy asks a person.
    Asked {
        /// The action.
        action: ActionId,
    },
    /// Policy granted it.
    Granted {
        /// The action.
        action: ActionId,
    },
    /// Policy or the person refused it: it did not happen and will not.
    Refused {
        /// The action.
        action: ActionId,
    },
    /// It finished and its output is on the record.
    Succeeded {
        /// The action.
        action: ActionId,
    },
    /// It finished in any other way, or the executor declined it.
    Failed {
        /// The action.
        action: ActionId,
    },
    /// Its grant lapsed before anybody claimed it: it did not happen and will not.
    Lapsed {
        /// The action.
        action: ActionId,
    },
    /// It was claimed and no outcome came in time: it may or may not have happened.
    Unknown {
        /// The action.
        action: ActionId,
    },
    /// The bytes of the output were erased.
    Erased {
        /// The item whose output was erased.
        at: StepRef,
    },
}

/// The state of an item's latest attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It waits for a verdict.
    Proposed,
    /// A person is asked.
    Asked,
    /// It may run, or is running.
    Granted,
    /// It was refused.
    Refused,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// Nobody claimed it in time.
    Lapsed,
    /// It may or may not have happened.
    Unknown,
}

impl State {
    /// Returns true if no later fact about the same attempt changes it.
    #[must_use]
    pub fn is_settled(self) -> bool {
        match self {
            Self::Proposed | Self::Asked | Self::Granted => false,
            Self::Refused | Self::Succeeded | Self::Failed | Self::Lapsed | Self::Unknown => true,
        }
    }
}

/// The latest attempt of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempt {
    pub(crate) action: ActionId,
    pub(crate) attempt: u8,
    pub(crate) state: State,
    pub(crate) erased: bool,
}

/// The record of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepProgress {
    /// The number of items of the step.
    pub(crate) items: u16,
    pub(crate) attempts: BTreeMap<u16, Attempt>,
}

/// An ignored fact: it does not follow from the task's record and changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the fact does not follow from the task's record; count it and continue")]
pub struct Ignored;

/// The record of one task: a fold of [`Fact`]s, the same for the same facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    steps: BTreeMap<u16, StepProgress>,
    actions: BTreeMap<ActionId, StepRef>,
}

impl Progress {
    /// Folds one fact.
    ///
    /// A settled attempt keeps its first outcome: a late one changes nothing.
    ///
    /// # Errors
    /// [`Ignored`], and nothing has changed.
    pub fn fold(&mut self, fact: Fact) -> Result<(), Ignored> {
        match fact {
            Fact::Proposed {
                action,
                at,
                items,
                attempt,
            } => self.propose(action, at, items, attempt),
            Fact::Asked { action } => self.advance(action, State::Asked),
            Fact::Granted { action } => self.advance(action, State::Granted),
            Fact::Refused { action } => self.advance(action, State::Refused),
            Fact::Succeeded { action } => self.advance(action, State::Succeeded),
            Fact::Failed { action } => self.advance(action, State::Failed),
            Fact::Lapsed { action } => self.advance(action, State::Lapsed),
            Fact::Unknown { action } => self.advance(action, State::Unknown),
            Fact::Erased { at } => {
                let latest = self.latest_mut(at).ok_or(Ignored)?;
                if latest.state != State::Succeeded {
                    return Err(Ignored);
                }
                latest.erased = true;
                Ok(())
            }
        }
    }

    /// Returns the latest attempt of an item and its state; `None` before the first.
    #[must_use]
    pub fn latest(&self, at: StepRef) -> Option<(ActionId, u8, State)> {
        let latest = self.attempt(at)?;
        Some((latest.action, latest.attempt, latest.state))
    }

    /// Returns the item that an action was proposed for.
    #[must_use]
    pub fn place(&self, action: ActionId) -> Option<StepRef> {
        self.actions.get(&action).copied()
    }

    pub(crate) fn attempt(&self, at: StepRef) -> Option<&Attempt> {
        self.steps.get(&at.step)?.attempts.get(&at.item)
    }

    /// Returns true if no action waits for a verdict or an outcome.
    pub(crate) fn is_settled(&self) -> bool {
        let mut each = self.steps.values().flat_map(|step| step.attempts.values());
        each.all(|latest| latest.state.is_settled())
    }

    pub(crate) fn step(&self, step: u16) -> Option<&StepProgress> {
        self.steps.get(&step)
    }

    /// Returns the number of actions of a step that wait for a verdict or an outcome.
    pub(crate) fn open(&self, step: u16) -> usize {
        let attempts = self.steps.get(&step).into_iter();
        let attempts = attempts.flat_map(|step| step.attempts.values());
        attempts.filter(|latest| !latest.state.is_settled()).count()
    }

    /// Returns the last recorded item of these steps, and the last step with it.
    pub(crate) fn latest_of(&self, (first, last): (u16, u16)) -> Option<(u16, u16)> {
        let steps = self.steps.range(first..=last);
        let latest = |(at, step): (&u16, &StepProgress)| {
            let (item, _) = step.attempts.last_key_value()?;
            Some((*item, *at))
        };
        steps.filter_map(latest).max()
    }

    /// Returns the last recorded step.
    pub(crate) fn last_step(&self) -> Option<u16> {
        self.steps.keys().next_back().copied()
    }

    fn propose(
        &mut self,
        action: ActionId,
        at: StepRef,
        items: u16,
        attempt: u8,
    ) -> Result<(), Ignored> {
        let fits = usize::from(at.step) < STEPS_MAX
            && usize::from(items) <= ITEMS_MAX
            && at.item < items
            && attempt <= ATTEMPTS_MAX
            && self.step(at.step).is_none_or(|step| step.items == items)
            && !self.actions.contains_key(&action);
        let follows = match self.attempt(at) {
            None => attempt == 1,
            Some(last) => {
                attempt == last.attempt.saturating_add(1)
                    && matches!(last.state, State::Failed | State::Lapsed | State::Unknown)
            }
        };
        if !fits || !follows {
            return Err(Ignored);
        }
        self.actions.insert(action, at);
        let step = self.steps.entry(at.step).or_insert_with(|| StepProgress {
            items,
            attempts: BTreeMap::new(),
        });
        step.attempts.insert(
            at.item,
            Attempt {
                action,
                attempt,
                state: State::Proposed,
                erased: false,
            },
        );
        Ok(())
    }

    fn advance(&mut self, action: ActionId, to: State) -> Result<(), Ignored> {
        let at = self.place(action).ok_or(Ignored)?;
        let latest = self.latest_mut(at).ok_or(Ignored)?;
        if latest.action != action || latest.state.is_settled() || to <= latest.state {
            return Err(Ignored);
        }
        latest.state = to;
        Ok(())
    }

    fn latest_mut(&mut self, at: StepRef) -> Option<&mut Attempt> {
        self.steps.get_mut(&at.step)?.attempts.get_mut(&at.item)
    }
}

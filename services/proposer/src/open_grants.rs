//! Folds the facts about the granted actions of one task, by the verdicts that all readers share.

use std::collections::BTreeMap;

use bus_schema::{
    ActionFinished, ActionId, ActionOutcome, AuthorId, Content, DraftGrant, EventId, Meta, Time,
    lifecycle::finish_by,
};
use serde::{Deserialize, Serialize};

/// The delay between a deadline and the record of its passing, so that a claim in flight does not race with it.
pub const EXPIRY_MARGIN_MS: u64 = 100;
/// Number of unsuccessful marks after which the backoff stops growing, at about two hours.
const MARKS_MAX: u32 = 16;

/// The granted actions of a task that are not settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenGrants(BTreeMap<ActionId, Granted>);

/// A granted action that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Granted {
    /// The last moment for its claim or, once claimed, for its outcome.
    deadline: Time,
    wall_ms: u32,
    started: bool,
    /// The executor that may claim it; nobody else can say what became of it.
    audience: AuthorId,
    cause: EventId,
    /// The number of marks whose stored time does not prove that the deadline passed.
    marks: u32,
}

/// A fact about a granted action.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    /// It was claimed.
    Started,
    /// It has an outcome.
    Finished(&'a ActionFinished),
    /// Its executor declined it.
    Declined,
    /// Its deadline is said to have passed.
    Expired,
}

/// The end of a granted action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It succeeded, and its executor put this output there.
    Succeeded(AuthorId, Content),
    /// It ended in any other way, or its executor declined it.
    Failed,
    /// Nobody claimed it in time: it did not happen and will not.
    Lapsed,
    /// It was claimed and no outcome came in time: it may or may not have happened.
    Unknown,
}

impl Granted {
    fn due(&self) -> Time {
        let pause_ms = EXPIRY_MARGIN_MS << self.marks.min(MARKS_MAX);
        self.deadline.plus_ms(pause_ms)
    }
}

impl OpenGrants {
    /// Adds a granted action.
    pub fn grant(&mut self, meta: &Meta, draft: &DraftGrant) {
        let granted = Granted {
            deadline: draft.claim_by(meta.stored),
            wall_ms: draft.wall_ms,
            started: false,
            audience: draft.audience,
            cause: meta.id,
            marks: 0,
        };
        self.0.insert(draft.action, granted);
    }

    /// Returns true if the action was granted and is not settled.
    #[must_use]
    pub fn has(&self, action: ActionId) -> bool {
        self.0.contains_key(&action)
    }

    /// The actions that have a deadline.
    pub fn actions(&self) -> impl Iterator<Item = ActionId> + '_ {
        self.0.keys().copied()
    }

    /// The time at which an action's passed deadline is to be recorded, and the cause of the deadline.
    #[must_use]
    pub fn due(&self, action: ActionId) -> Option<(Time, EventId)> {
        let granted = self.0.get(&action)?;
        Some((granted.due(), granted.cause))
    }

    /// Folds a fact about a granted action, and returns its end. Past its deadline, every fact only marks that it has passed.
    pub fn hear(&mut self, meta: &Meta, action: ActionId, heard: Heard<'_>) -> Option<End> {
        let granted = self.0.get_mut(&action)?;
        let end = if meta.stored > granted.deadline {
            if granted.started {
                End::Unknown
            } else {
                End::Lapsed
            }
        } else {
            if !matches!(heard, Heard::Expired) && meta.by != granted.audience {
                return None;
            }
            match (heard, granted.started) {
                (Heard::Started, false) => {
                    granted.started = true;
                    granted.deadline = finish_by(meta.stored, u64::from(granted.wall_ms));
                    granted.cause = meta.id;
                    granted.marks = 0;
                    return None;
                }
                (Heard::Declined, false) => End::Failed,
                (Heard::Finished(fact), true) => match fact.outcome {
                    ActionOutcome::Succeeded => End::Succeeded(meta.by, fact.output),
                    ActionOutcome::Failed | ActionOutcome::TimedOut | ActionOutcome::Killed => {
                        End::Failed
                    }
                },
                (Heard::Expired, _) => {
                    granted.marks = granted.marks.saturating_add(1);
                    return None;
                }
                (Heard::Started | Heard::Declined, true) | (Heard::Finished(_), false) => {
                    return None;
                }
            }
        };
        self.0.remove(&action);
        Some(end)
    }
}

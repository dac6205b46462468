//! Defines the moment of a decision.

use actor::{Core, LogHead, Logged, Outbox};
use bus_schema::Time;

/// The time and the log's progress, which a verdict depends on beside the facts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecisionTime {
    pub(crate) now: Time,
    /// The log's progress, if audit reported it recently.
    pub(crate) logged: Option<Logged>,
}

impl DecisionTime {
    pub(crate) fn of<C: Core>(out: &Outbox<'_, C>, folded: Time) -> Self {
        Self {
            now: out.now().max(folded),
            logged: out.heard().and_then(LogHead::logged),
        }
    }

    /// Returns true if audit's log is fresh and close enough to a proposal at `seq` of the stream.
    pub(crate) fn covers(&self, seq: u64) -> bool {
        self.logged.is_some_and(|logged| logged.covers(seq))
    }
}

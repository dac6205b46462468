//! The moment of a decision.

use actor::{Core, LogHead, Logged, Outbox};
use bus_schema::Time;

/// What a verdict may know of the moment beside the facts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecisionTime {
    pub(crate) now: Time,
    /// How far the log is, if audit said so lately.
    pub(crate) logged: Option<Logged>,
}

impl DecisionTime {
    pub(crate) fn of<C: Core>(out: &Outbox<'_, C>, folded: Time) -> Self {
        Self {
            now: out.now().max(folded),
            logged: out.heard().and_then(LogHead::logged),
        }
    }

    /// Whether a proposal at `seq` of the stream is close enough behind the log.
    pub(crate) fn covers(&self, seq: u64) -> bool {
        self.logged.is_some_and(|logged| logged.covers(seq))
    }
}

//! The deadlines of a granted action. All readers decide by the stored times of the stream alone, and so alike.

use crate::{DraftGrant, Time};

/// Time after the wall time of an action in which its outcome may still be stored; later the outcome is unknown.
pub const OUTCOME_GRACE_MS: u32 = 5_000;

impl DraftGrant {
    /// The last stored time of a claim on the grant, which was stored at `granted`.
    #[must_use]
    pub fn claim_by(&self, granted: Time) -> Time {
        granted.plus_ms(u64::from(self.ttl_ms))
    }

    /// The last stored time of an outcome, if the claim was stored at `started`.
    #[must_use]
    pub fn finish_by(&self, started: Time) -> Time {
        finish_by(started, u64::from(self.wall_ms))
    }
}

/// The last stored time of the outcome of an action with this wall time, if its claim was stored at `started`.
#[must_use]
pub fn finish_by(started: Time, wall_ms: u64) -> Time {
    started.plus_ms(wall_ms.saturating_add(u64::from(OUTCOME_GRACE_MS)))
}

//! The pauses between the polls of a login (RFC 8628, 3.5).

use std::time::Duration;

/// The pause if the server names none, in seconds.
const INTERVAL: u32 = 5;
/// Longest pause, in seconds.
const INTERVAL_MAX: u32 = 300;
/// The seconds that each `slow_down` adds.
const SLOWER: u32 = 5;
/// Longest time of a login, in seconds.
const EXPIRES_MAX: u32 = 3600;

/// The pauses of one login. Their sum stays within the time for which the code is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Polling {
    interval: u32,
    expires_in: u32,
    waited: u32,
}

impl Polling {
    /// Begins with the interval and the lifetime that the server names, in seconds; both are bounded.
    pub(crate) fn new(interval: Option<u32>, expires_in: u32) -> Self {
        Self {
            interval: interval.unwrap_or(INTERVAL).clamp(1, INTERVAL_MAX),
            expires_in: expires_in.min(EXPIRES_MAX),
            waited: 0,
        }
    }

    /// The time for the login, in seconds.
    pub(crate) const fn expires_in(&self) -> u32 {
        self.expires_in
    }

    /// Returns the next pause; none if the code expires during it.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        let waited = self.waited.saturating_add(self.interval);
        if waited >= self.expires_in {
            return None;
        }
        self.waited = waited;
        Some(Duration::from_secs(self.interval.into()))
    }

    /// Polls less often from here on, because the server says so.
    pub(crate) fn slow_down(&mut self) {
        self.interval = self.interval.saturating_add(SLOWER).min(INTERVAL_MAX);
    }

    /// Polls half as often from here on, because the server did not answer.
    pub(crate) fn back_off(&mut self) {
        self.interval = self.interval.saturating_mul(2).min(INTERVAL_MAX);
    }
}

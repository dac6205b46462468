//! The treatment of missed slots, of slots during a run, and of failures.

use bus_schema::Time;
use toml::de::DeTable;

use crate::{
    duration,
    value::{Reader, Value, integer},
};

/// Most missed slots that a job makes up for, and most that wait for the end of a run.
pub const MISFIRES_MAX: u8 = 100;
/// Most attempts of a run.
pub const ATTEMPTS_MAX: u8 = 10;
/// Longest wait before a run is tried again: 7 days.
pub const BACKOFF_MS_MAX: u64 = 7 * 86_400_000;
/// Longest time of a run until its deadline: 7 days.
pub const DEADLINE_MS_MAX: u64 = 7 * 86_400_000;
/// Longest time by which slots are spread: one hour.
pub const JITTER_MS_MAX: u64 = 3_600_000;

const BACKOFF_MS: u64 = 60_000;
const CAP_MS: u64 = 3_600_000;

const MISFIRE_FIX: &str =
    "write \"skip\", \"once\" or { all = 10 }, the number of missed slots that it makes up for";
const OVERLAP_FIX: &str = "write \"skip\", \"queue\", { queue = 10 }, \"allow\" or \"cancel\"";
const RETRY_FIX: &str = "write the attempts in all, from 2 to 10, such as retry = { attempts = 3, backoff = \"1m\", cap = \"1h\" }";

/// The treatment of slots that could not be run in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfire {
    /// They are passed over.
    Skip,
    /// The last one is run.
    Once,
    /// As many of the last ones are run, oldest first.
    All(u8),
}

/// The treatment of slots and messages that come during a run of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// They are passed over.
    Skip,
    /// At most so many wait for its end. Slots are then treated as missed ones.
    Queue(u8),
    /// They run beside it.
    Allow,
    /// The run is stopped, and the last one runs in its place.
    Cancel,
}

/// The attempts at a run that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The attempts in all.
    pub attempts: u8,
    /// The wait before the second attempt, in milliseconds; it doubles with each further one.
    pub backoff_ms: u64,
    /// The longest wait, in milliseconds.
    pub cap_ms: u64,
}

impl Retry {
    /// Returns the time of the next attempt after `attempt` ended at `ended`; none after the last one.
    #[must_use]
    pub fn next(&self, attempt: u8, ended: Time) -> Option<Time> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = 1_u64
            .checked_shl(u32::from(attempt.saturating_sub(1)))
            .unwrap_or(u64::MAX);
        let wait = self.backoff_ms.saturating_mul(doubled).min(self.cap_ms);
        Some(ended.plus_ms(wait))
    }
}

impl Reader<'_> {
    pub(crate) fn misfire(&mut self, value: Option<&Value<'_>>) -> Option<Misfire> {
        let Some(value) = value else {
            return Some(Misfire::Once);
        };
        match (value.get_ref().as_str(), number(value, "all")) {
            (Some("skip"), _) => Some(Misfire::Skip),
            (Some("once"), _) => Some(Misfire::Once),
            (None, Some(number)) => {
                let all = self.of_max(value, ("all", number), MISFIRES_MAX, MISFIRE_FIX);
                all.map(Misfire::All)
            }
            (Some(_) | None, _) => {
                self.wrong(value.span(), "`misfire` is none of its values", MISFIRE_FIX)
            }
        }
    }

    pub(crate) fn overlap(&mut self, value: Option<&Value<'_>>) -> Option<Overlap> {
        let Some(value) = value else {
            return Some(Overlap::Skip);
        };
        match (value.get_ref().as_str(), number(value, "queue")) {
            (Some("skip"), _) => Some(Overlap::Skip),
            (Some("queue"), _) => Some(Overlap::Queue(MISFIRES_MAX)),
            (Some("allow"), _) => Some(Overlap::Allow),
            (Some("cancel"), _) => Some(Overlap::Cancel),
            (None, Some(number)) => {
                let queue = self.of_max(value, ("queue", number), MISFIRES_MAX, OVERLAP_FIX);
                queue.map(Overlap::Queue)
            }
            (Some(_) | None, _) => {
                self.wrong(value.span(), "`overlap` is none of its values", OVERLAP_FIX)
            }
        }
    }

    fn of_max(
        &mut self,
        value: &Value<'_>,
        (key, number): (&str, u64),
        max: u8,
        fix: &str,
    ) -> Option<u8> {
        let number = u8::try_from(number).ok();
        let number = number.filter(|number| (1..=max).contains(number));
        number.or_else(|| self.wrong(value.span(), format!("`{key}` is not from 1 to {max}"), fix))
    }

    /// Reads the attempts; none if the job has one alone.
    pub(crate) fn retry(&mut self, value: Option<&Value<'_>>) -> Option<Option<Retry>> {
        let Some(value) = value else {
            return Some(None);
        };
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong(value.span(), "`retry` is not a table", RETRY_FIX);
        };
        self.keys(table, &["attempts", "backoff", "cap"], "`retry`");
        let attempts = table.get("attempts");
        let attempts = attempts.and_then(|one| integer(one.get_ref()));
        let attempts = attempts.and_then(|number| u8::try_from(number).ok());
        let attempts = attempts.filter(|number| (2..=ATTEMPTS_MAX).contains(number));
        let Some(attempts) = attempts else {
            let problem = format!("`attempts` is not from 2 to {ATTEMPTS_MAX}");
            return self.wrong(value.span(), problem, RETRY_FIX);
        };
        let backoff_ms = self.wait(table, "backoff", (BACKOFF_MS, BACKOFF_MS_MAX))?;
        let cap_ms = self.wait(table, "cap", (CAP_MS.max(backoff_ms), BACKOFF_MS_MAX))?;
        if cap_ms < backoff_ms {
            let fix = "write a longer cap, or a shorter backoff";
            return self.wrong(value.span(), "`cap` is shorter than `backoff`", fix);
        }
        Some(Some(Retry {
            attempts,
            backoff_ms,
            cap_ms,
        }))
    }

    /// Reads the time of a key, from one second to `max`.
    pub(crate) fn wait(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        (default, max): (u64, u64),
    ) -> Option<u64> {
        let Some(value) = table.get(key) else {
            return Some(default);
        };
        let fix = format!(
            "write a whole number with s, m, h or d, from 1s to {}, such as {key} = \"30m\"",
            duration::say(max)
        );
        let (text, span) = self.string(value, key, &fix)?;
        let ms = duration::parse(text).filter(|ms| (1_000..=max).contains(ms));
        ms.or_else(|| self.wrong(span, format!("`{key}` is no such time"), fix))
    }
}

/// Returns the number of a table with this key alone.
fn number(value: &Value<'_>, key: &str) -> Option<u64> {
    let table = value.get_ref().as_table()?;
    let only = table.get(key).filter(|_| table.len() == 1)?;
    integer(only.get_ref())
}

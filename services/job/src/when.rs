//! The slots of a job: the moments at which it runs.

use std::fmt;

use bus_schema::{EndedRun, JobName, Time};

use crate::{
    Cron, Rule, Zone, duration,
    zone::{time, timestamp},
};

/// Shortest interval: one second.
pub const EVERY_MS_MIN: u64 = 1_000;
/// Longest interval: 366 days.
pub const EVERY_MS_MAX: u64 = 366 * 86_400_000;

/// The moments at which a job runs.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// At local times of a zone. A time that comes twice counts once, at its first moment; one that is skipped counts at
    /// the first moment after the gap.
    Cron {
        /// The local times.
        cron: Cron,
        /// The zone.
        zone: Zone,
    },
    /// At the local times of a calendar rule; those of a change of clocks count in the same way.
    Rule(Box<Rule>),
    /// Again and again after the same time.
    Every {
        /// The time, in milliseconds.
        ms: u64,
        /// The first slot; without it, slots begin one interval after the job was signed.
        from: Option<Time>,
    },
    /// Once.
    At(Time),
    /// Whenever a message comes under `trigger.<source>.<name>`, such as `cli.build`; it has no slots.
    Trigger(String),
    /// Whenever a run of another job ends with this outcome; it has no slots.
    After {
        /// The other job.
        job: JobName,
        /// The outcome.
        outcome: AfterOutcome,
    },
    /// Whenever the deployment starts; it has no slots.
    Start,
}

/// The outcome of a run that starts a run of another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterOutcome {
    /// It succeeded.
    Succeeded,
    /// It failed, or was stopped at its deadline; each attempt counts.
    Failed,
    /// It ended in any way.
    Ended,
}

impl AfterOutcome {
    /// Returns true if a run ended so.
    #[must_use]
    pub const fn takes(self, run: &EndedRun) -> bool {
        match self {
            Self::Succeeded => run.succeeded,
            Self::Failed => run.failed,
            Self::Ended => true,
        }
    }
}

impl When {
    /// Returns the first slot after `after` of a job that was signed at `signed`; none if there is no more.
    #[must_use]
    pub fn next(&self, after: Time, signed: Time) -> Option<Time> {
        match self {
            Self::Cron { cron, zone } => {
                let next = |local| cron.next(local);
                time(zone.next(timestamp(after)?, next)?)
            }
            Self::Rule(rule) => time(rule.next_moment(timestamp(after)?)?),
            Self::Every { ms, from } => {
                let (first, step) = interval(*ms, *from, signed)?;
                let past = after.ns().checked_sub(first)?;
                let n = if past < 0 { 0 } else { past / step + 1 };
                let slot = first.checked_add(n.checked_mul(step)?)?;
                Some(Time::from_ns(slot))
            }
            Self::At(at) => (*at > after).then_some(*at),
            Self::Trigger(_) | Self::After { .. } | Self::Start => None,
        }
    }

    /// Returns the last slot that is not after `until` of a job that was signed at `signed`.
    #[must_use]
    pub fn latest(&self, until: Time, signed: Time) -> Option<Time> {
        match self {
            Self::Cron { cron, zone } => {
                let previous = |local| cron.previous(local);
                time(zone.latest(timestamp(until)?, previous)?)
            }
            Self::Rule(rule) => time(rule.latest_moment(timestamp(until)?)?),
            Self::Every { ms, from } => {
                let (first, step) = interval(*ms, *from, signed)?;
                let past = until.ns().checked_sub(first).filter(|past| *past >= 0)?;
                Some(Time::from_ns(first.checked_add(past / step * step)?))
            }
            Self::At(at) => (*at <= until).then_some(*at),
            Self::Trigger(_) | Self::After { .. } | Self::Start => None,
        }
    }

    /// Returns true if `slot` is a slot of a job that was signed at `signed`.
    #[must_use]
    pub fn has(&self, slot: Time, signed: Time) -> bool {
        self.latest(slot, signed) == Some(slot)
    }

    /// Returns a moment as people read it: in the job's zone, with the offset, or in UTC.
    #[must_use]
    pub fn shown(&self, at: Time) -> String {
        match self {
            Self::Cron { zone, .. } => zone.shown(at),
            Self::Rule(rule) => rule.zone().shown(at),
            Self::Every { .. }
            | Self::At(_)
            | Self::Trigger(_)
            | Self::After { .. }
            | Self::Start => at.to_string(),
        }
    }

    /// Returns true if the time does not start it, so that its coming slots are unknown.
    #[must_use]
    pub const fn has_no_slots(&self) -> bool {
        match self {
            Self::Trigger(_) | Self::After { .. } | Self::Start => true,
            Self::Cron { .. } | Self::Rule(_) | Self::Every { .. } | Self::At(_) => false,
        }
    }

    /// Returns the source and the name of the messages that start it, if any do.
    #[must_use]
    pub fn trigger(&self) -> Option<&str> {
        match self {
            Self::Trigger(subject) => Some(subject),
            Self::Cron { .. }
            | Self::Rule(_)
            | Self::Every { .. }
            | Self::At(_)
            | Self::After { .. }
            | Self::Start => None,
        }
    }
}

impl When {
    /// Returns the job and the outcome that start it, if any do.
    #[must_use]
    pub const fn after(&self) -> Option<(&JobName, AfterOutcome)> {
        match self {
            Self::After { job, outcome } => Some((job, *outcome)),
            Self::Cron { .. }
            | Self::Rule(_)
            | Self::Every { .. }
            | Self::At(_)
            | Self::Trigger(_)
            | Self::Start => None,
        }
    }
}

/// Returns the first slot and the step, in nanoseconds.
fn interval(ms: u64, from: Option<Time>, signed: Time) -> Option<(i64, i64)> {
    let step = i64::try_from(ms)
        .ok()?
        .checked_mul(1_000_000)
        .filter(|step| *step > 0)?;
    let first = match from {
        Some(from) => from.ns(),
        // Whole seconds are read more easily.
        None => (signed.ns().div_euclid(1_000_000_000) * 1_000_000_000).checked_add(step)?,
    };
    Some((first, step))
}

impl fmt::Display for When {
    /// Says it in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { cron, zone } => write!(f, "cron {cron} in {zone}"),
            Self::Every { ms, from: None } => write!(f, "every {}", duration::say(*ms)),
            Self::Every {
                ms,
                from: Some(from),
            } => write!(f, "every {} from {from}", duration::say(*ms)),
            Self::Rule(rule) => rule.fmt(f),
            Self::At(at) => write!(f, "once at {at}"),
            Self::Start => f.write_str("at each start of the deployment"),
            Self::After { job, outcome } => {
                let outcome = match outcome {
                    AfterOutcome::Succeeded => "succeeds",
                    AfterOutcome::Failed => "fails",
                    AfterOutcome::Ended => "ends",
                };
                write!(f, "after each run of {job} that {outcome}")
            }
            Self::Trigger(subject) => write!(f, "on each message trigger.{subject}"),
        }
    }
}

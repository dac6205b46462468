//! Time zones by their IANA names, and the moments of local times in them.

use std::fmt;

use bus_schema::Time;
use diagnostic::nearest;
use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

/// A time zone of the database that is part of the program.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A text that names no zone, with the nearest name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{text}`; {fix}")]
pub struct NoZone {
    text: String,
    /// The repair.
    pub fix: String,
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Zone {
    /// Returns the zone of that IANA name, such as `Europe/Stockholm`.
    ///
    /// # Errors
    /// [`NoZone`], with the nearest name.
    pub fn named(text: &str) -> Result<Self, NoZone> {
        let found = jiff::tz::db().get(text).ok();
        // The database ignores case; a job has one spelling.
        let found = found.filter(|zone| zone.iana_name() == Some(text));
        found.map_or_else(
            || Err(NoZone::of(text)),
            |zone| {
                let name = text.to_owned();
                Ok(Self { name, zone })
            },
        )
    }

    /// Returns the local time at a moment.
    fn local(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }

    /// Returns the moment of a local time: of a time that comes twice the first one, and of one that is skipped the
    /// first moment after the gap.
    pub(crate) fn moment(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                let past = before.to_timestamp(local).ok()?;
                let past = past.checked_add(SignedDuration::from_nanos(1)).ok()?;
                self.zone
                    .preceding(past)
                    .next()
                    .map(|change| change.timestamp())
            }
        }
    }

    /// Returns the first moment after `after` of the local times that `next` finds after another one.
    pub(crate) fn next(
        &self,
        after: Timestamp,
        next: impl Fn(DateTime) -> Option<DateTime>,
    ) -> Option<Timestamp> {
        let mut local = self.local(after);
        loop {
            local = next(local)?;
            let slot = self.moment(local)?;
            if slot > after {
                return Some(slot);
            }
        }
    }

    /// Returns the last moment that is not after `until` of the local times that `previous` finds before another one.
    pub(crate) fn latest(
        &self,
        until: Timestamp,
        previous: impl Fn(DateTime) -> Option<DateTime>,
    ) -> Option<Timestamp> {
        // To the next second, because the search excludes its start.
        let second = Timestamp::from_second(until.as_second()).ok()?;
        let local = self.latest_local(second)?;
        let mut local = local.checked_add(SignedDuration::from_secs(1)).ok()?;
        loop {
            local = previous(local)?;
            let slot = self.moment(local)?;
            if slot <= until {
                return Some(slot);
            }
        }
    }

    /// Returns a local time that is not before any local time of the moments up to `at`: in the second pass of times
    /// that come twice, the end of the first.
    fn latest_local(&self, at: Timestamp) -> Option<DateTime> {
        let local = self.local(at);
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after } if before.to_timestamp(local).ok()? < at => {
                let width = before.seconds().saturating_sub(after.seconds());
                local
                    .checked_add(SignedDuration::from_secs(i64::from(width)))
                    .ok()
            }
            AmbiguousOffset::Fold { .. }
            | AmbiguousOffset::Unambiguous { .. }
            | AmbiguousOffset::Gap { .. } => Some(local),
        }
    }

    /// Returns a moment as people read it: local date and time with the offset, such as
    /// `2027-03-28T09:00:00+02:00[Europe/Stockholm]`.
    #[must_use]
    pub fn shown(&self, at: Time) -> String {
        match timestamp(at) {
            Some(moment) => moment.to_zoned_datetime(self.zone.clone()).to_string(),
            None => at.to_string(),
        }
    }
}

impl NoZone {
    fn of(text: &str) -> Self {
        let names: Vec<_> = jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .collect();
        let near = nearest(text, names.iter().map(String::as_str));
        let fix = near.map_or_else(
            || "write an IANA name, such as Europe/Stockholm or UTC".to_owned(),
            |near| format!("write {near}"),
        );
        Self {
            text: text.to_owned(),
            fix,
        }
    }
}

pub(crate) fn timestamp(at: Time) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(at.ns())).ok()
}

/// Returns the moment in nanoseconds; none outside of the years 1677 to 2262.
pub(crate) fn time(at: Timestamp) -> Option<Time> {
    i64::try_from(at.as_nanosecond()).ok().map(Time::from_ns)
}

/// Reads a date and time with an offset, such as `2027-03-01T09:00:00+01:00`.
#[must_use]
pub fn moment(text: &str) -> Option<Time> {
    text.parse().ok().and_then(time)
}

//! Cron expressions of five or six fields, over the local time of a calendar without zones.

mod bits;
mod field;
mod not_cron;

use std::{fmt, str::FromStr};

use jiff::civil::{Date, DateTime, Time};

use self::bits::{above, below, first, has, last};
use self::field::{Days, Field, Weekdays, list};
pub use self::not_cron::NotCron;

/// The years in which a slot is searched: after them the calendar repeats.
const YEARS: i16 = 400;

/// A cron expression; it has slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: Days,
    weekdays: Weekdays,
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Cron {
    type Err = NotCron;

    fn from_str(text: &str) -> Result<Self, NotCron> {
        let named = match text {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let fields: Vec<_> = named.split_ascii_whitespace().collect();
        let (seconds, rest) = match fields.as_slice() {
            rest @ [_, _, _, _, _] => ("0", rest),
            [seconds, rest @ ..] if rest.len() == 5 => (*seconds, rest),
            _ => {
                return Err(NotCron::new(
                    format!("the expression has {} fields", fields.len()),
                    "write five: minute, hour, day of the month, month, weekday, such as \"30 9 * * mon-fri\"; a sixth before them is the second",
                ));
            }
        };
        let [minutes, hours, days, months, weekdays] = rest else {
            return Err(NotCron::new("the expression is empty", "write five fields"));
        };
        let cron = Self {
            text: text.to_owned(),
            seconds: list(Field::Second, seconds)?,
            minutes: list(Field::Minute, minutes)?,
            hours: list(Field::Hour, hours)?,
            months: list(Field::Month, months)?,
            days: Days::parse(days)?,
            weekdays: Weekdays::parse(weekdays)?,
        };
        let start = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        if cron.next(start).is_none() {
            return Err(NotCron::new(
                format!(
                    "the expression `{text}` never comes true: none of its months has such a day"
                ),
                "write a day that the months have, or `L` for the last day of a month",
            ));
        }
        Ok(cron)
    }
}

impl Cron {
    /// Returns the first local time after `after`, to the second; none if there is none in 400 years.
    #[must_use]
    pub fn next(&self, after: DateTime) -> Option<DateTime> {
        if self.has_date(after.date())
            && let Some(time) = self.time_after(after.time())
        {
            return Some(after.date().to_datetime(time));
        }
        let mut date = after.date().tomorrow().ok()?;
        let last = after.year().saturating_add(YEARS);
        while date.year() <= last {
            if !has(self.months, date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
            } else if self.has_date(date) {
                let time = time_of(
                    first(self.hours)?,
                    first(self.minutes)?,
                    first(self.seconds)?,
                )?;
                return Some(date.to_datetime(time));
            } else {
                date = date.tomorrow().ok()?;
            }
        }
        None
    }

    /// Returns the last local time before `before`, to the second; none if there is none in 400 years.
    #[must_use]
    pub fn previous(&self, before: DateTime) -> Option<DateTime> {
        if self.has_date(before.date())
            && let Some(time) = self.time_before(before.time())
        {
            return Some(before.date().to_datetime(time));
        }
        let mut date = before.date().yesterday().ok()?;
        let first = before.year().saturating_sub(YEARS);
        while date.year() >= first {
            if !has(self.months, date.month()) {
                date = date.first_of_month().yesterday().ok()?;
            } else if self.has_date(date) {
                let time = time_of(last(self.hours)?, last(self.minutes)?, last(self.seconds)?)?;
                return Some(date.to_datetime(time));
            } else {
                date = date.yesterday().ok()?;
            }
        }
        None
    }

    /// Returns true if a day has slots. As in every cron, one of the two conditions on days is enough if both are given.
    fn has_date(&self, date: Date) -> bool {
        if !has(self.months, date.month()) {
            return false;
        }
        match (self.days.is_any(), self.weekdays.is_any()) {
            (true, true) => true,
            (true, false) => self.weekdays.has(date),
            (false, true) => self.days.has(date),
            (false, false) => self.days.has(date) || self.weekdays.has(date),
        }
    }

    fn time_after(&self, after: Time) -> Option<Time> {
        let (h, m, s) = (after.hour(), after.minute(), after.second());
        if has(self.hours, h) {
            if has(self.minutes, m)
                && let Some(second) = above(self.seconds, s)
            {
                return time_of(h, m, second);
            }
            if let Some(minute) = above(self.minutes, m) {
                return time_of(h, minute, first(self.seconds)?);
            }
        }
        time_of(
            above(self.hours, h)?,
            first(self.minutes)?,
            first(self.seconds)?,
        )
    }

    fn time_before(&self, before: Time) -> Option<Time> {
        // A begun second lies before, too.
        let begun = i8::from(before.subsec_nanosecond() > 0);
        let (h, m, s) = (before.hour(), before.minute(), before.second() + begun);
        if has(self.hours, h) {
            if has(self.minutes, m)
                && let Some(second) = below(self.seconds, s)
            {
                return time_of(h, m, second);
            }
            if let Some(minute) = below(self.minutes, m) {
                return time_of(h, minute, last(self.seconds)?);
            }
        }
        time_of(
            below(self.hours, h)?,
            last(self.minutes)?,
            last(self.seconds)?,
        )
    }
}

fn time_of(hour: i8, minute: i8, second: i8) -> Option<Time> {
    Time::new(hour, minute, second, 0).ok()
}

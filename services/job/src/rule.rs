//! Calendar rules of RFC 5545 over the local time of a calendar without zones.

mod parse;

use std::fmt;

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime, Time, Weekday},
};

use crate::Zone;

/// Most slots of one day.
pub const RULE_TIMES_MAX: usize = 288;
/// Largest number of slots that `COUNT` may have.
pub const RULE_COUNT_MAX: u16 = 1_000;
/// The last year in which a slot is searched: moments are counted in nanoseconds, and end there.
const LAST_YEAR: i16 = 2261;
const WEEK: i64 = 7;

/// A calendar rule of RFC 5545 with its start and its zone; it has slots.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    text: String,
    from: DateTime,
    zone: Zone,
    frequency: Frequency,
    interval: i64,
    /// The last moment that may be a slot: of `UNTIL`, or of the last one of `COUNT`.
    until: Option<Timestamp>,
    /// The months; none for all.
    months: Vec<i16>,
    /// Days of the month, negative ones from its end; none for all.
    month_days: Vec<i16>,
    /// Days of the year, negative ones from its end; none for all.
    year_days: Vec<i16>,
    /// Weekdays, each with its number in month or year, or 0; none for all.
    weekdays: Vec<(i16, Weekday)>,
    /// The numbers of the slots in each period, negative ones from its end; none for all.
    positions: Vec<i16>,
    week_start: Weekday,
    /// The times of a day, in their order.
    times: Vec<Time>,
}

/// A text that is no calendar rule, with its repair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {fix}")]
pub struct NotRule {
    /// The problem.
    pub problem: String,
    /// The repair.
    pub fix: String,
}

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Yearly,
    Monthly,
    Weekly,
    Daily,
}

/// The slots of one period.
struct Period<'r> {
    rule: &'r Rule,
    days: Vec<Date>,
    /// The numbers of its slots, if the rule has positions.
    picked: Vec<usize>,
}

impl Period<'_> {
    fn len(&self) -> usize {
        if self.rule.positions.is_empty() {
            self.days.len().saturating_mul(self.rule.times.len())
        } else {
            self.picked.len()
        }
    }

    /// Returns its slot of this number, from 0.
    fn get(&self, n: usize) -> Option<DateTime> {
        let n = match self.rule.positions.as_slice() {
            [] => n,
            [..] => *self.picked.get(n)?,
        };
        let times = self.rule.times.len();
        let day = self.days.get(n.checked_div(times)?)?;
        let time = self.rule.times.get(n.checked_rem(times)?)?;
        Some(day.to_datetime(*time))
    }

    /// Returns the number of slots for which `is` holds; it holds for the first ones alone.
    fn first_ones(&self, is: impl Fn(DateTime) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).is_some_and(&is) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Rule {
    /// Returns the first slot after a moment.
    pub(crate) fn next_moment(&self, after: Timestamp) -> Option<Timestamp> {
        let slot = self.zone.next(after, |local| self.next(local))?;
        self.until.is_none_or(|until| slot <= until).then_some(slot)
    }

    /// Returns the last slot that is not after a moment.
    pub(crate) fn latest_moment(&self, until: Timestamp) -> Option<Timestamp> {
        let until = self.until.map_or(until, |last| last.min(until));
        self.zone.latest(until, |local| self.previous(local))
    }

    /// Returns its zone.
    pub(crate) const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the first local time after `after`.
    fn next(&self, after: DateTime) -> Option<DateTime> {
        let mut number = self.number_of(after.max(self.from).date())?;
        loop {
            let period = self.period(number)?;
            let passed = period.first_ones(|slot| slot <= after || slot < self.from);
            if let Some(slot) = period.get(passed) {
                return Some(slot);
            }
            number = number.checked_add(1)?;
        }
    }

    /// Returns the last local time before `before`.
    fn previous(&self, before: DateTime) -> Option<DateTime> {
        if before <= self.from {
            return None;
        }
        let mut number = self.number_of(before.date())?;
        while number >= 0 {
            let period = self.period(number)?;
            let earlier = period.first_ones(|slot| slot < before);
            if let Some(last) = earlier.checked_sub(1) {
                return period.get(last).filter(|slot| *slot >= self.from);
            }
            number = number.checked_sub(1)?;
        }
        None
    }

    /// Returns the number of the last period that begins on this day or before, from 0 for that of the start.
    fn number_of(&self, date: Date) -> Option<i64> {
        let from = self.from.date();
        let units = match self.frequency {
            Frequency::Yearly => i64::from(date.year()) - i64::from(from.year()),
            Frequency::Monthly => month_number(date) - month_number(from),
            Frequency::Weekly => days_between(self.week_of(from)?, date).div_euclid(WEEK),
            Frequency::Daily => days_between(from, date),
        };
        Some(units.div_euclid(self.interval))
    }

    /// Returns the first day of a week.
    fn week_of(&self, date: Date) -> Option<Date> {
        let back = i64::from(date.weekday().since(self.week_start));
        date.checked_sub(Span::new().try_days(back).ok()?).ok()
    }

    /// Returns a period by its number; none past the last year.
    fn period(&self, number: i64) -> Option<Period<'_>> {
        let units = number.checked_mul(self.interval)?;
        let from = self.from.date();
        let plus = |date: Date, days: i64| date.checked_add(Span::new().try_days(days).ok()?).ok();
        let (first, last) = match self.frequency {
            Frequency::Yearly => {
                let year = i16::try_from(i64::from(from.year()).checked_add(units)?).ok()?;
                let first = Date::new(year, 1, 1).ok()?;
                (first, first.last_of_year())
            }
            Frequency::Monthly => {
                let month = month_number(from).checked_add(units)?;
                let year = i16::try_from(month.div_euclid(12)).ok()?;
                let month = i8::try_from(month.rem_euclid(12)).ok()?.checked_add(1)?;
                let first = Date::new(year, month, 1).ok()?;
                (first, first.last_of_month())
            }
            Frequency::Weekly => {
                let first = plus(self.week_of(from)?, units.checked_mul(WEEK)?)?;
                (first, plus(first, WEEK - 1)?)
            }
            Frequency::Daily => {
                let day = plus(from, units)?;
                (day, day)
            }
        };
        if first.year() > LAST_YEAR {
            return None;
        }
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        let days = days.take_while(|day| *day <= last);
        let days: Vec<_> = days.filter(|day| self.has_day(*day)).collect();
        let picked = self.picked(days.len().saturating_mul(self.times.len()));
        let rule = self;
        Some(Period { rule, days, picked })
    }

    /// Returns the numbers of the slots at the rule's positions in a period of `len` slots.
    fn picked(&self, len: usize) -> Vec<usize> {
        let number = |position: &i16| {
            let from_start = usize::from(position.unsigned_abs());
            let number = if *position > 0 {
                from_start.checked_sub(1)
            } else {
                len.checked_sub(from_start)
            };
            number.filter(|number| *number < len)
        };
        let mut picked: Vec<_> = self.positions.iter().filter_map(number).collect();
        picked.sort_unstable();
        picked.dedup();
        picked
    }

    fn has_day(&self, date: Date) -> bool {
        let (day, days) = (i16::from(date.day()), i16::from(date.days_in_month()));
        let (year_day, year_days) = (date.day_of_year(), date.days_in_year());
        let of_month = self.frequency == Frequency::Monthly || !self.months.is_empty();
        let has_weekday = |(number, weekday): &(i16, Weekday)| {
            let (day, days) = if of_month {
                (day, days)
            } else {
                (year_day, year_days)
            };
            let from_start = (day - 1) / 7 + 1;
            let from_end = (days - day) / 7 + 1;
            *weekday == date.weekday()
                && (*number == 0 || *number == from_start || *number == -from_end)
        };
        has(&self.months, i16::from(date.month()), 12)
            && has(&self.month_days, day, days)
            && has(&self.year_days, year_day, year_days)
            && (self.weekdays.is_empty() || self.weekdays.iter().any(has_weekday))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} from {} in {}", self.text, self.from, self.zone)
    }
}

/// Returns true if the numbers are none, or have this one of `all`, from the start or the end.
fn has(numbers: &[i16], number: i16, all: i16) -> bool {
    numbers.is_empty() || numbers.contains(&number) || numbers.contains(&(number - all - 1))
}

fn month_number(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours().div_euclid(24)
}

//! The fields of a cron expression: lists, ranges, steps and names, and the conditions on days.

use jiff::civil::Date;

use super::{bits, not_cron::NotCron};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

impl Field {
    const fn bounds(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            // 7 is Sunday, as 0 is.
            Self::Weekday => (0, 7),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "weekday",
        }
    }

    fn wrong(self, text: &str) -> NotCron {
        let (least, most) = self.bounds();
        let names = match self {
            Self::Month => " or jan to dec",
            Self::Weekday => " (0 and 7 are Sunday) or sun to sat",
            Self::Second | Self::Minute | Self::Hour | Self::Day => "",
        };
        NotCron::new(
            format!("`{text}` is no {}", self.name()),
            format!(
                "write {least} to {most}{names}, a range such as 1-5, a list such as 1,3, or a step such as */5"
            ),
        )
    }

    fn number(self, text: &str) -> Result<u8, NotCron> {
        let lower = text.to_ascii_lowercase();
        let named = match self {
            Self::Month => MONTHS
                .iter()
                .position(|name| *name == lower)
                .map(|at| at + 1),
            Self::Weekday => WEEKDAYS.iter().position(|name| *name == lower),
            Self::Second | Self::Minute | Self::Hour | Self::Day => None,
        };
        let (least, most) = self.bounds();
        let digits = || {
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse().ok())
        };
        let number = match named {
            Some(at) => u8::try_from(at).ok(),
            None => digits().flatten(),
        };
        let number = number.filter(|n| (least..=most).contains(n));
        number.ok_or_else(|| self.wrong(text))
    }

    /// Reads one entry of a list as bits.
    fn entry(self, text: &str) -> Result<u64, NotCron> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => {
                let number = step.parse().ok().filter(|n: &u8| *n > 0);
                (range, Some(number.ok_or_else(|| self.wrong(text))?))
            }
            None => (text, None),
        };
        let (least, most) = self.bounds();
        let (from, to) = if range == "*" {
            (least, if self == Self::Weekday { 6 } else { most })
        } else if let Some((from, to)) = range.split_once('-') {
            let (from, to) = (self.number(from)?, self.number(to)?);
            (
                from,
                if self == Self::Weekday && to == 0 {
                    7
                } else {
                    to
                },
            )
        } else {
            let from = self.number(range)?;
            (from, if step.is_some() { most } else { from })
        };
        if from > to {
            return Err(NotCron::new(
                format!("the range `{range}` ends before it begins"),
                "write it as two, such as fri-sat,sun-mon",
            ));
        }
        let bits = (from..=to).step_by(usize::from(step.unwrap_or(1)));
        Ok(bits.fold(0, |bits, n| bits | 1 << n))
    }
}

/// Reads a list as bits.
pub(super) fn list(field: Field, text: &str) -> Result<u64, NotCron> {
    let mut set = 0;
    for entry in text.split(',') {
        set |= field.entry(entry)?;
    }
    Ok(set)
}

/// The condition on the day of the month; none if every day is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days {
    any: bool,
    bits: u64,
    /// True if the last day of each month is among them.
    last: bool,
}

impl Days {
    pub(super) fn parse(text: &str) -> Result<Self, NotCron> {
        let mut days = Self {
            any: text == "*" || text == "?",
            bits: 0,
            last: false,
        };
        for entry in text.split(',').filter(|_| !days.any) {
            if entry.eq_ignore_ascii_case("l") {
                days.last = true;
            } else {
                days.bits |= Field::Day.entry(entry)?;
            }
        }
        Ok(days)
    }

    pub(super) const fn is_any(&self) -> bool {
        self.any
    }

    pub(super) fn has(&self, date: Date) -> bool {
        self.any
            || bits::has(self.bits, date.day())
            || (self.last && date.day() == date.days_in_month())
    }
}

/// The condition on the weekday; none if every day is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Weekdays {
    any: bool,
    /// Bit 0 is Sunday.
    bits: u64,
    /// Weekdays of which only one in a month counts.
    single: Vec<(u8, Which)>,
}

/// The one of a weekday in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Nth(i8),
    Last,
}

impl Weekdays {
    pub(super) fn parse(text: &str) -> Result<Self, NotCron> {
        let mut all = Self {
            any: text == "*" || text == "?",
            bits: 0,
            single: Vec::new(),
        };
        for entry in text.split(',').filter(|_| !all.any) {
            if let Some((day, nth)) = entry.split_once('#') {
                let number = nth.parse().ok().filter(|n| (1..=5).contains(n));
                let number = number.ok_or_else(|| {
                    NotCron::new(
                        format!("`{entry}` names no weekday of a month"),
                        "write fri#1 to fri#5, or friL for the last one",
                    )
                })?;
                all.single
                    .push((Field::Weekday.number(day)? % 7, Which::Nth(number)));
            } else if let Some(day) = entry.strip_suffix(['L', 'l']) {
                all.single
                    .push((Field::Weekday.number(day)? % 7, Which::Last));
            } else {
                let bits = Field::Weekday.entry(entry)?;
                all.bits |= bits & 0x7f | bits >> 7;
            }
        }
        Ok(all)
    }

    pub(super) const fn is_any(&self) -> bool {
        self.any
    }

    pub(super) fn has(&self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset();
        let single = |(day, which): &(u8, Which)| {
            i8::try_from(*day) == Ok(weekday)
                && match which {
                    Which::Nth(nth) => (date.day() - 1) / 7 + 1 == *nth,
                    Which::Last => date.day() + 7 > date.days_in_month(),
                }
        };
        self.any || bits::has(self.bits, weekday) || self.single.iter().any(single)
    }
}

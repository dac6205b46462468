//! Reads the text of a calendar rule strictly: what is not taken is an error with its fix.

use std::collections::BTreeMap;

use jiff::{
    Timestamp,
    civil::{DateTime, Time, Weekday},
};

use super::{Frequency, LAST_YEAR, NotRule, RULE_COUNT_MAX, RULE_TIMES_MAX, Rule};
use crate::Zone;

/// Most characters of a rule.
const CHARS_MAX: usize = 1_000;
/// Most values of one part.
const VALUES_MAX: usize = 366;
/// Largest interval.
const INTERVAL_MAX: i16 = 1_000;
const PARTS: &[&str] = &[
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYMONTH",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYDAY",
    "BYHOUR",
    "BYMINUTE",
    "BYSECOND",
    "BYSETPOS",
    "WKST",
];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];
const UNTIL_FIX: &str =
    "write a date and time, in UTC such as UNTIL=20271231T225959Z, or local without Z";

/// The parts of a rule by their names.
struct Parts<'t>(BTreeMap<&'t str, &'t str>);

fn no<T>(problem: impl Into<String>, fix: impl Into<String>) -> Result<T, NotRule> {
    let (problem, fix) = (problem.into(), fix.into());
    Err(NotRule { problem, fix })
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Result<Self, NotRule> {
        let mut parts = BTreeMap::new();
        for part in text.split(';') {
            let Some((name, value)) = part.split_once('=') else {
                return no(
                    format!("`{part}` is no part of a rule"),
                    "write NAME=VALUE with `;` between, such as \"FREQ=MONTHLY;BYDAY=-1FR\"",
                );
            };
            if !PARTS.contains(&name) {
                return no(
                    format!("a rule has no `{name}` here"),
                    format!("write {} only, in capitals", PARTS.join(", ")),
                );
            }
            if parts.insert(name, value).is_some() {
                return no(format!("`{name}` stands twice"), "keep one of them");
            }
        }
        Ok(Self(parts))
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn get(&self, name: &str) -> Option<&'t str> {
        self.0.get(name).copied()
    }

    /// Returns the numbers of a part, in their order: from `min` to `max`, and from the end if `back`.
    fn numbers(&self, name: &str, (min, max): (i16, i16), back: bool) -> Result<Vec<i16>, NotRule> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let number = |text: &str| {
            let number = text.parse::<i16>().ok()?;
            let is_in = (min..=max).contains(&number);
            let from_end = back && (min..=max).contains(&number.checked_neg()?);
            (is_in || from_end).then_some(number)
        };
        let numbers: Option<Vec<_>> = value.split(',').map(number).collect();
        match numbers.filter(|all| all.len() <= VALUES_MAX) {
            Some(mut numbers) => {
                numbers.sort_unstable();
                numbers.dedup();
                Ok(numbers)
            }
            None => {
                let end = if back { ", or with - from the end" } else { "" };
                no(
                    format!("`{name}={value}` has a value that is not taken"),
                    format!("write numbers from {min} to {max}{end}, with `,` between"),
                )
            }
        }
    }

    fn number(&self, name: &str, max: i16) -> Result<Option<i16>, NotRule> {
        match self.numbers(name, (1, max), false)?.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            [..] => no(format!("`{name}` has several values"), "write one of them"),
        }
    }

    fn frequency(&self) -> Result<Frequency, NotRule> {
        match self.get("FREQ") {
            Some("YEARLY") => Ok(Frequency::Yearly),
            Some("MONTHLY") => Ok(Frequency::Monthly),
            Some("WEEKLY") => Ok(Frequency::Weekly),
            Some("DAILY") => Ok(Frequency::Daily),
            Some(often @ ("HOURLY" | "MINUTELY" | "SECONDLY")) => no(
                format!("`FREQ={often}` comes too often for a calendar rule"),
                "write `every`, such as every = \"15m\", or FREQ=DAILY with BYHOUR and BYMINUTE",
            ),
            Some(_) | None => no(
                "the rule has no frequency",
                "begin it with FREQ=YEARLY, FREQ=MONTHLY, FREQ=WEEKLY or FREQ=DAILY",
            ),
        }
    }

    fn weekdays(&self, frequency: Frequency) -> Result<Vec<(i16, Weekday)>, NotRule> {
        let Some(value) = self.get("BYDAY") else {
            return Ok(Vec::new());
        };
        let one = |text: &str| {
            let (number, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
            let weekday = weekday(name)?;
            let number = match number {
                "" => 0,
                number => number
                    .parse::<i16>()
                    .ok()
                    .filter(|n| (1..=53).contains(&n.abs()))?,
            };
            Some((number, weekday))
        };
        let all: Option<Vec<_>> = value.split(',').map(one).collect();
        let Some(all) = all.filter(|all| all.len() <= VALUES_MAX) else {
            return no(
                format!("`BYDAY={value}` has a value that is not taken"),
                "write MO, TU, WE, TH, FR, SA or SU, with a number for one of the month or year, such as BYDAY=2MO,-1FR",
            );
        };
        let has_numbers = all.iter().any(|(number, _)| *number != 0);
        if has_numbers && matches!(frequency, Frequency::Weekly | Frequency::Daily) {
            return no(
                "a numbered weekday needs months or years",
                "write FREQ=MONTHLY or FREQ=YEARLY, or remove the number",
            );
        }
        Ok(all)
    }

    /// Returns the times of a day, in their order.
    fn times(&self, from: DateTime) -> Result<Vec<Time>, NotRule> {
        let of = |name: &str, max: i16, own: i8| {
            let numbers = self.numbers(name, (0, max), false)?;
            let own = vec![i16::from(own)];
            Ok(if numbers.is_empty() { own } else { numbers })
        };
        let hours = of("BYHOUR", 23, from.hour())?;
        let minutes = of("BYMINUTE", 59, from.minute())?;
        let seconds = of("BYSECOND", 59, from.second())?;
        let number = hours.len().saturating_mul(minutes.len());
        let number = number.saturating_mul(seconds.len());
        if number > RULE_TIMES_MAX {
            return no(
                format!("the rule comes {number} times a day; at most {RULE_TIMES_MAX} are taken"),
                "shorten BYHOUR, BYMINUTE or BYSECOND, or write `every` or `cron`",
            );
        }
        let mut times = Vec::new();
        for hour in &hours {
            for minute in &minutes {
                for second in &seconds {
                    let parts = [hour, minute, second].map(|part| i8::try_from(*part).unwrap_or(0));
                    let [hour, minute, second] = parts;
                    times.extend(Time::new(hour, minute, second, 0));
                }
            }
        }
        Ok(times)
    }

    fn until(&self, zone: &Zone) -> Result<Option<Timestamp>, NotRule> {
        let Some(text) = self.get("UNTIL") else {
            return Ok(None);
        };
        let local = text.strip_suffix('Z').unwrap_or(text);
        let local = DateTime::strptime("%Y%m%dT%H%M%S", local).ok();
        let moment = local.and_then(|local| {
            if text.ends_with('Z') {
                jiff::tz::Offset::UTC.to_timestamp(local).ok()
            } else {
                zone.moment(local)
            }
        });
        match moment {
            Some(moment) => Ok(Some(moment)),
            None => no(format!("`UNTIL={text}` is no moment"), UNTIL_FIX),
        }
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    let found = WEEKDAYS.iter().find(|(own, _)| *own == name);
    found.map(|(_, weekday)| *weekday)
}

impl Rule {
    /// Reads a rule that starts at a local time of a zone. The start is a slot only if the rule has it.
    ///
    /// # Errors
    /// [`NotRule`], with the problem and its fix; also for a rule that has no slot.
    pub fn parse(text: &str, from: DateTime, zone: Zone) -> Result<Self, NotRule> {
        if text.len() > CHARS_MAX {
            return no(
                format!("the rule has more than {CHARS_MAX} characters"),
                "shorten it, or write several jobs",
            );
        }
        if !(1970..=LAST_YEAR).contains(&from.year()) {
            return no(
                format!("`from` is not from 1970 to {LAST_YEAR}"),
                "write the date and time at which the rule starts",
            );
        }
        let parts = Parts::of(text.strip_prefix("RRULE:").unwrap_or(text))?;
        let frequency = parts.frequency()?;
        let mut rule = Self {
            text: text.to_owned(),
            from,
            frequency,
            interval: i64::from(parts.number("INTERVAL", INTERVAL_MAX)?.unwrap_or(1)),
            until: parts.until(&zone)?,
            months: parts.numbers("BYMONTH", (1, 12), false)?,
            month_days: parts.numbers("BYMONTHDAY", (1, 31), true)?,
            year_days: parts.numbers("BYYEARDAY", (1, 366), true)?,
            weekdays: parts.weekdays(frequency)?,
            positions: parts.numbers("BYSETPOS", (1, 366), true)?,
            week_start: match parts.get("WKST").map(weekday) {
                None => Weekday::Monday,
                Some(Some(weekday)) => weekday,
                Some(None) => return no("`WKST` is no weekday", "write one, such as WKST=MO"),
            },
            times: parts.times(from)?,
            zone,
        };
        rule.agrees(&parts)?;
        rule.take_from_start();
        rule.counted(parts.number("COUNT", i16::MAX)?)?;
        if rule.next_moment(Timestamp::MIN).is_none() {
            return no(
                format!("the rule `{text}` never comes true"),
                "write days that its months have, and an UNTIL after its start",
            );
        }
        Ok(rule)
    }

    /// Checks that the parts fit each other, as the RFC says.
    fn agrees(&self, parts: &Parts<'_>) -> Result<(), NotRule> {
        if parts.has("COUNT") && parts.has("UNTIL") {
            return no("the rule has `COUNT` and `UNTIL`", "keep one of them");
        }
        if parts.has("BYMONTHDAY") && self.frequency == Frequency::Weekly {
            let fix = "write FREQ=MONTHLY, FREQ=YEARLY or FREQ=DAILY";
            return no("`BYMONTHDAY` has no meaning in weeks", fix);
        }
        if parts.has("BYYEARDAY") && self.frequency != Frequency::Yearly {
            return no("`BYYEARDAY` needs years", "write FREQ=YEARLY");
        }
        Ok(())
    }

    /// Takes what the rule does not say from its start, as the RFC says.
    fn take_from_start(&mut self) {
        let no_days = self.month_days.is_empty() && self.year_days.is_empty();
        if !no_days || !self.weekdays.is_empty() {
            return;
        }
        let date = self.from.date();
        match self.frequency {
            Frequency::Yearly => {
                if self.months.is_empty() {
                    self.months.push(i16::from(date.month()));
                }
                self.month_days.push(i16::from(date.day()));
            }
            Frequency::Monthly => self.month_days.push(i16::from(date.day())),
            Frequency::Weekly => self.weekdays.push((0, date.weekday())),
            Frequency::Daily => {}
        }
    }

    /// Ends the rule with its last slot of `count`.
    fn counted(&mut self, count: Option<i16>) -> Result<(), NotRule> {
        let Some(count) = count else {
            return Ok(());
        };
        let count = count.unsigned_abs();
        if count > RULE_COUNT_MAX {
            return no(
                format!("`COUNT` is more than {RULE_COUNT_MAX}"),
                "write a smaller one, or UNTIL",
            );
        }
        let first = self.next(DateTime::MIN);
        let all = std::iter::successors(first, |slot| self.next(*slot));
        let last = all.take(usize::from(count)).last();
        self.until = last.and_then(|last| self.zone.moment(last));
        Ok(())
    }
}

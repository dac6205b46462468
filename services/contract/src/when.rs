//! Dates and moments of RFC 3339, and their comparison with each other and with now.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// A day in milliseconds.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The largest offset of a place on earth, in minutes.
const OFFSET_MINUTES_MAX: i32 = 14 * 60;

/// A day or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A whole day of UTC.
    Day(Date),
    /// A moment; UTC if it has no zone.
    Moment(Timestamp),
}

impl When {
    /// Parses `2026-01-31`, `2026-01-31T18:00:00Z`, `2026-01-31 18:00` or a moment with an offset; `None` if
    /// invalid.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (date, time) = parts(text)?;
        let Some((clock, offset)) = time else {
            return Some(Self::Day(date));
        };
        let moment = offset
            .unwrap_or(Offset::UTC)
            .to_timestamp(DateTime::from_parts(date, clock))
            .ok()?;
        Some(Self::Moment(moment))
    }

    /// Parses the same texts as a day or a time on the clocks of `zone`; without an offset, it is read as that already.
    pub(crate) fn civil(text: &str, zone: &TimeZone) -> Option<Civil> {
        let (date, time) = parts(text)?;
        let Some((clock, offset)) = time else {
            return Some(Civil::Day(date));
        };
        let written = DateTime::from_parts(date, clock);
        let moment = match offset {
            Some(offset) => zone.to_datetime(offset.to_timestamp(written).ok()?),
            None => written,
        };
        Some(Civil::Moment(moment))
    }

    /// Parses a time of day such as `10:45` or `10:45:30`.
    pub(crate) fn clock(text: &str) -> Option<Time> {
        let shaped = shaped(text, "dd:dd") || shaped(text, "dd:dd:dd");
        shaped.then(|| text.parse().ok())?
    }

    /// Returns the day that a text names if its offset moves the moment to another day of UTC.
    pub(crate) fn moved_from(text: &str) -> Option<Self> {
        let (date, _) = parts(text)?;
        match Self::new(text)? {
            Self::Day(_) => None,
            Self::Moment(moment) => (day(moment) != date).then_some(Self::Day(date)),
        }
    }

    /// Adds a number of milliseconds, whole days to a day; `None` if that is no date.
    pub(crate) fn shifted(self, ms: i64) -> Option<Self> {
        match self {
            Self::Day(date) if ms % DAY_MS == 0 => {
                let days = i32::try_from(ms / DAY_MS).ok()?;
                date.checked_add(days.days()).ok().map(Self::Day)
            }
            Self::Day(_) => None,
            Self::Moment(moment) => {
                let span = SignedDuration::from_millis(ms);
                moment.checked_add(span).ok().map(Self::Moment)
            }
        }
    }

    /// The day of UTC.
    pub(crate) fn day(self) -> Date {
        match self {
            Self::Day(date) => date,
            Self::Moment(moment) => day(moment),
        }
    }

    /// Compares two dates or moments; `None` if one is within the other.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Day(one), Self::Day(other)) => Some(one.cmp(&other)),
            (Self::Moment(one), Self::Moment(other)) => Some(one.cmp(&other)),
            (Self::Day(_), Self::Moment(other)) => self
                .compare(Self::Day(day(other)))
                .filter(|found| found.is_ne()),
            (Self::Moment(one), Self::Day(_)) => Self::Day(day(one))
                .compare(other)
                .filter(|found| found.is_ne()),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(date) => date.fmt(f),
            Self::Moment(moment) => moment.fmt(f),
        }
    }
}

/// A day, or a time on a day, on the clocks of one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Civil {
    Day(Date),
    Moment(DateTime),
}

/// A day, and a time with its offset if there is one.
type Parts = (Date, Option<(Time, Option<Offset>)>);

fn parts(text: &str) -> Option<Parts> {
    let (date, time) = match text.split_at_checked(10)? {
        (date, "") => (date, None),
        (date, rest) => (date, Some(rest.strip_prefix(['T', ' '])?)),
    };
    if !shaped(date, "dddd-dd-dd") {
        return None;
    }
    let date: Date = date.parse().ok()?;
    let Some(time) = time else {
        return Some((date, None));
    };
    let (clock, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => {
            let (clock, offset) = time.split_at_checked(at)?;
            (clock, Some(offset_of(offset)?))
        }
        None => (time, None),
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let fractional = clock.len() > whole.len();
    let digits = fraction.bytes().all(|c| c.is_ascii_digit());
    let short = shaped(whole, "dd:dd") && !fractional;
    if !(short || shaped(whole, "dd:dd:dd"))
        || !digits
        || fraction.len() > 9
        || (fractional && fraction.is_empty())
    {
        return None;
    }
    Some((date, Some((clock.parse().ok()?, offset))))
}

/// Returns the day of UTC of a moment.
fn day(moment: Timestamp) -> Date {
    Offset::UTC.to_datetime(moment).date()
}

fn offset_of(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let rest = text.get(1..)?;
    if !shaped(rest, "dd:dd") {
        return None;
    }
    let hours: i32 = rest.get(..2)?.parse().ok()?;
    let minutes: i32 = rest.get(3..)?.parse().ok()?;
    let fits = minutes < 60 && hours * 60 + minutes <= OFFSET_MINUTES_MAX;
    fits.then(|| Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok())?
}

/// Returns true if a text has a digit for each `d` of `shape` and otherwise the same characters.
fn shaped(text: &str, shape: &str) -> bool {
    let fits = |(c, want): (u8, u8)| {
        if want == b'd' {
            c.is_ascii_digit()
        } else {
            c == want
        }
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// One end of a range of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// This day, or this moment.
    At(When),
    /// Relative to now, in milliseconds.
    Now {
        /// Negative for the past.
        plus_ms: i64,
    },
}

impl End {
    /// Parses a date, a moment, `now`, `now+30d` or `now-2h`; `None` if invalid.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let Some(rest) = text.strip_prefix("now") else {
            return When::new(text).map(Self::At);
        };
        if rest.is_empty() {
            return Some(Self::Now { plus_ms: 0 });
        }
        let (sign, span) = match rest.split_at_checked(1)? {
            ("+", span) => (1, span),
            ("-", span) => (-1, span),
            _ => return None,
        };
        let ms = span_ms(span)?;
        Some(Self::Now { plus_ms: sign * ms })
    }

    fn when(self, now_ms: i64) -> When {
        match self {
            Self::At(when) => when,
            Self::Now { plus_ms } => {
                let ms = now_ms.saturating_add(plus_ms);
                let least = Timestamp::MIN.as_millisecond();
                let most = Timestamp::MAX.as_millisecond();
                let moment = Timestamp::from_millisecond(ms.clamp(least, most));
                When::Moment(moment.unwrap_or(Timestamp::MIN))
            }
        }
    }

    /// Compares a date with this end: a day is compared with the day of a moment.
    pub(crate) fn compare(self, value: When, now_ms: i64) -> Ordering {
        let end = self.when(now_ms);
        value.compare(end).unwrap_or(Ordering::Equal)
    }
}

/// Parses a span of days, hours, minutes and seconds such as `30d` or `1h30m`.
pub(crate) fn span_ms(text: &str) -> Option<i64> {
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) => (days.parse::<u32>().ok()?, rest),
        None => (0, text),
    };
    let plain = |text: &str| {
        text.bytes()
            .all(|c| c.is_ascii_digit() || b"hms".contains(&c))
    };
    let rest_ms = match rest {
        "" if days > 0 => 0,
        rest if plain(rest) => rest.parse::<SignedDuration>().ok()?.as_millis(),
        _ => return None,
    };
    i64::try_from(rest_ms)
        .ok()?
        .checked_add(i64::from(days) * DAY_MS)
}

/// Writes a span as days or seconds.
pub(crate) fn span_text(ms: u64) -> String {
    let seconds = ms / 1000;
    match (seconds % 86_400, seconds / 86_400) {
        (0, days) if days > 0 => format!("{days}d"),
        _ => format!("{seconds}s"),
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(when) => when.fmt(f),
            Self::Now { plus_ms: 0 } => f.write_str("now"),
            Self::Now { plus_ms } => {
                let sign = if *plus_ms < 0 { '-' } else { '+' };
                write!(f, "now{sign}{}", span_text(plus_ms.unsigned_abs()))
            }
        }
    }
}

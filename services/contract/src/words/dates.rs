//! Days, times of day and moments in a text, in their usual spellings.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, ToSpan as _};

use super::mention::{Meaning, Mention};
use super::sentences::sentence;
use super::tokens::{SpokenToken, tokens};

/// Months, each with its names.
const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "jänner", "janvier", "enero"],
    &["february", "feb", "februar", "février", "febrero"],
    &["march", "mar", "märz", "mrz", "mars", "marzo"],
    &["april", "apr", "avril", "abril"],
    &["may", "mai", "mayo"],
    &["june", "jun", "juni", "juin", "junio"],
    &["july", "jul", "juli", "juillet", "julio"],
    &["august", "aug", "août", "agosto"],
    &["september", "sep", "sept", "septembre", "septiembre"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre"],
    &["november", "nov", "novembre", "noviembre"],
    &[
        "december",
        "dec",
        "dezember",
        "dez",
        "décembre",
        "diciembre",
    ],
];
/// Days of the week, each with its names.
const WEEKDAYS: [(Weekday, &[&str]); 7] = [
    (Weekday::Monday, &["monday", "montag"]),
    (Weekday::Tuesday, &["tuesday", "dienstag"]),
    (Weekday::Wednesday, &["wednesday", "mittwoch"]),
    (Weekday::Thursday, &["thursday", "donnerstag"]),
    (Weekday::Friday, &["friday", "freitag"]),
    (Weekday::Saturday, &["saturday", "samstag"]),
    (Weekday::Sunday, &["sunday", "sonntag"]),
];
/// Words before a day of the week that mean another one than the next, or several.
const TURNS: [&str; 12] = [
    "next",
    "last",
    "previous",
    "past",
    "every",
    "each",
    "nächsten",
    "nächster",
    "nächste",
    "letzten",
    "jeden",
    "after",
];
/// Words for a day, as the number of days from today.
const DAYS: [(&str, i32); 7] = [
    ("today", 0),
    ("tomorrow", 1),
    ("yesterday", -1),
    ("heute", 0),
    ("übermorgen", 2),
    ("gestern", -1),
    ("vorgestern", -2),
];

/// Returns the days that a text names; `today` is the day of the call in the contract's zone.
pub(super) fn days(text: &str, today: Date) -> Vec<Mention> {
    let read = |before: &[SpokenToken], rest: &[SpokenToken]| {
        let (date, length) = day(rest, today).filter(|_| !is_turned(before, rest))?;
        Some((Meaning::Day(date), length))
    };
    found(text, read, stands_alone)
}

/// Returns the values that begin at any token of a text, without those that overlap an earlier one. `read` gets the
/// tokens before and from a place, and returns a value with the number of its tokens.
fn found(
    text: &str,
    read: impl Fn(&[SpokenToken], &[SpokenToken]) -> Option<(Meaning, usize)>,
    alone: fn(&str, &Range<usize>) -> bool,
) -> Vec<Mention> {
    let tokens = tokens(text);
    let mut all: Vec<Mention> = Vec::new();
    for place in 0..tokens.len() {
        let Some((before, rest)) = tokens.split_at_checked(place) else {
            break;
        };
        let Some((meaning, length)) = read(before, rest) else {
            continue;
        };
        let (Some(first), Some(last)) = (rest.first(), rest.get(length.saturating_sub(1))) else {
            continue;
        };
        let at = first.at.start..last.at.end;
        let overlaps = all.last().is_some_and(|last| last.at.end > at.start);
        if !overlaps && alone(text, &at) {
            all.push(Mention::new(at, meaning));
        }
    }
    all
}

/// Returns true if the words before a day of the week, or before `tomorrow`, make another day of it: `last Monday`,
/// `the day before yesterday`.
fn is_turned(before: &[SpokenToken], rest: &[SpokenToken]) -> bool {
    let Some(first) = rest.first() else {
        return false;
    };
    let last = |words: &[&str]| before.last().is_some_and(|last| last.is_one_of(words));
    let of_week = WEEKDAYS.iter().any(|(_, names)| first.is_one_of(names));
    let of_days = DAYS.iter().any(|(word, _)| first.is(word));
    let day = before.len().checked_sub(2).and_then(|at| before.get(at));
    let day = day.is_some_and(|day| day.is("day")) && last(&["before", "after"]);
    (of_week && last(&TURNS)) || (of_days && day)
}

/// Returns true if no word or number goes on at the edges, except a time after `T`.
fn stands_alone(text: &str, at: &Range<usize>) -> bool {
    let (before, after) = (text.get(..at.start), text.get(at.end..));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@');
    let leads = |c: char| joins(c) || matches!(c, '-' | '/' | '.' | ':' | '+' | '\u{2212}');
    let mut behind = after.chars();
    let goes_on = match (behind.next(), behind.next()) {
        (Some('T'), Some(c)) if c.is_ascii_digit() => false,
        (Some('-' | '/' | '.' | ','), Some(c)) => c.is_numeric(),
        (Some(c), _) => joins(c),
        (None, _) => false,
    };
    !before.ends_with(leads) && !goes_on
}

/// Returns the day at the beginning of these tokens, and the number of its tokens.
fn day(tokens: &[SpokenToken], today: Date) -> Option<(Date, usize)> {
    let found = iso(tokens).or_else(|| digits(tokens));
    found
        .or_else(|| named(tokens, today))
        .or_else(|| relative(tokens, today))
}

/// `2024-05-20`, `2024/05/20`.
fn iso(tokens: &[SpokenToken]) -> Option<(Date, usize)> {
    let [year, sign, month, other, day, ..] = tokens else {
        return None;
    };
    let adjacent = year.at.end == sign.at.start && other.at.end == day.at.start;
    let signs = sign.is_one_of(&["-", "/"]) && sign.text == other.text;
    let shaped = year.text.len() == 4 && month.text.len() == 2 && day.text.len() == 2;
    let date = date(year.number(4)?, month.number(2)?, day.number(2)?)?;
    (adjacent && signs && shaped).then_some((date, 5))
}

/// `20.5.2024`, and `20/5/2024` if only one of the two can be the month.
fn digits(tokens: &[SpokenToken]) -> Option<(Date, usize)> {
    let [first, sign, second, other, year, ..] = tokens else {
        return None;
    };
    let (day, month) = (first.number(2)?, second.number(2)?);
    if sign.text != other.text || year.text.len() != 4 {
        return None;
    }
    let year = year.number(4)?;
    let date = match sign.text.as_str() {
        "." => date(year, month, day),
        "/" | "-" if day == month || month > 12 || day > 12 => {
            date(year, month, day).or_else(|| date(year, day, month))
        }
        _ => None,
    };
    date.map(|date| (date, 5))
}

/// `January 11th 2025`, `11 January 2025`, `11th of January`; without a year, the next such day.
fn named(tokens: &[SpokenToken], today: Date) -> Option<(Date, usize)> {
    let first = tokens.first()?;
    let (month, day, mut length) = match month(first) {
        Some(month) => {
            let skipped = skip(tokens, 1, &["the"]);
            let (day, used) = day_number(tokens.get(skipped..)?)?;
            (month, day, skipped + used)
        }
        None => {
            let (day, used) = day_number(tokens)?;
            let skipped = skip(tokens, used, &[".", "of", "de"]);
            let month = month(tokens.get(skipped)?)?;
            (month, day, skipped + 1)
        }
    };
    let behind = skip(tokens, length, &[",", "de", "of"]);
    let year = tokens.get(behind).filter(|year| year.text.len() == 4);
    // `20 May 10:00` has no year.
    if let Some(year) = year.and_then(|year| year.number(4)) {
        length = behind + 1;
        return Some((date(year, month, day)?, length));
    }
    let this = date(i32::from(today.year()), month, day).filter(|date| *date >= today);
    let next = || date(i32::from(today.year()) + 1, month, day);
    Some((this.or_else(next)?, length))
}

fn skip(tokens: &[SpokenToken], from: usize, words: &[&str]) -> usize {
    let rest = tokens.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take_while(|token| token.is_one_of(words))
        .count()
}

/// `11`, `11th`.
fn day_number(tokens: &[SpokenToken]) -> Option<(i32, usize)> {
    let first = tokens.first()?;
    let day = first.number(2)?;
    let ends = |next: &&SpokenToken| {
        next.is_one_of(&["st", "nd", "rd", "th"]) && next.at.start == first.at.end
    };
    let ending = tokens.get(1).filter(ends).is_some();
    Some((day, 1 + usize::from(ending)))
}

fn month(token: &SpokenToken) -> Option<i32> {
    let place = MONTHS.iter().position(|names| token.is_one_of(names))?;
    i32::try_from(place + 1).ok()
}

/// `tomorrow`, `the day after tomorrow`, `in 3 days`, `next Monday`.
fn relative(tokens: &[SpokenToken], today: Date) -> Option<(Date, usize)> {
    let [first, rest @ ..] = tokens else {
        return None;
    };
    let after = |days: Span| today.checked_add(days).ok();
    if let [number, unit, ..] = rest
        && first.is("in")
        && let Some(many) = number.number(3)
    {
        let one = if unit.is_one_of(&["day", "days", "tagen", "tag"]) {
            1
        } else if unit.is_one_of(&["week", "weeks", "woche", "wochen"]) {
            7
        } else {
            return None;
        };
        return Some((after((many * one).days())?, 3));
    }
    if let [second, third, ..] = rest
        && first.is("day")
        && third.is("tomorrow")
        && second.is("after")
    {
        return Some((after(2.days())?, 3));
    }
    if let Some((_, days)) = DAYS.iter().find(|(word, _)| first.is(word)) {
        return Some((after(days.days())?, 1));
    }
    let next = first.is_one_of(&["next", "nächsten", "nächster", "nächste"]);
    if next {
        return Some((weekday(rest.first()?, today, true)?, 2));
    }
    Some((weekday(first, today, false)?, 1))
}

/// The next day of this name; `None` if two are possible: today's own name, or `next Friday` in the same week.
fn weekday(token: &SpokenToken, today: Date, next: bool) -> Option<Date> {
    let (wanted, _) = WEEKDAYS.iter().find(|(_, names)| token.is_one_of(names))?;
    let days = today.weekday().until(*wanted);
    let later = today.weekday().to_monday_one_offset() >= wanted.to_monday_one_offset();
    if (days == 0 && !next) || (next && !later) {
        return None;
    }
    let days = if days == 0 { 7 } else { i32::from(days) };
    today.checked_add(days.days()).ok()
}

fn date(year: i32, month: i32, day: i32) -> Option<Date> {
    let (year, month, day) = (year.try_into(), month.try_into(), day.try_into());
    Date::new(year.ok()?, month.ok()?, day.ok()?).ok()
}

/// Returns the times of day that a text names: `10:45`, `10:45:30`, `5 pm`, `17 Uhr`.
pub(super) fn times(text: &str) -> Vec<Mention> {
    let read = |_: &[SpokenToken], rest: &[SpokenToken]| {
        let (time, length) = time(rest)?;
        Some((Meaning::Clock(time), length))
    };
    found(text, read, is_time_alone)
}

fn is_time_alone(text: &str, at: &Range<usize>) -> bool {
    let before = text.get(..at.start).unwrap_or_default();
    let before = before
        .strip_suffix('T')
        .filter(|before| before.ends_with(|c: char| c.is_ascii_digit()))
        .map_or(before, |_| "");
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@');
    let leads = |c: char| joins(c) || matches!(c, ':' | '.' | ',' | '/' | '+' | '-' | '\u{2212}');
    let mut behind = text.get(at.end..).unwrap_or_default().chars();
    let goes_on = match (behind.next(), behind.next()) {
        // A moment with an offset is read as a whole.
        (Some('+' | '-' | ':' | '.' | ',' | '/'), Some(c)) => c.is_numeric(),
        (Some(c), _) => joins(c),
        (None, _) => false,
    };
    !before.ends_with(leads) && !goes_on
}

fn time(tokens: &[SpokenToken]) -> Option<(Time, usize)> {
    let hour = tokens.first()?.number(2)?;
    let adjoins = |at: usize| Some(tokens.get(at)?.at.end == tokens.get(at + 1)?.at.start);
    let part = |at: usize| {
        let colon = tokens.get(at)?.is(":") && adjoins(at - 1)? && adjoins(at)?;
        let number = tokens.get(at + 1).filter(|number| number.text.len() == 2)?;
        colon.then(|| number.number(2))?
    };
    let minute = part(1);
    let second = minute.and_then(|_| part(3));
    let length = 1 + 2 * usize::from(minute.is_some()) + 2 * usize::from(second.is_some());
    let word = tokens.get(length);
    let half = word.map_or((None, 0), |word| match word.text.as_str() {
        "am" => (Some(0), 1),
        "pm" => (Some(12), 1),
        _ => (None, 0),
    });
    let clock = word.is_some_and(|word| word.is_one_of(&["uhr", "h"]));
    let (hour, length) = match half {
        (Some(add), used) if (1..=12).contains(&hour) => (hour % 12 + add, length + used),
        (Some(_), _) => return None,
        (None, _) if clock => (hour, length + 1),
        (None, _) if minute.is_some() => (hour, length),
        (None, _) => return None,
    };
    let (minute, second) = (minute.unwrap_or(0), second.unwrap_or(0));
    let (hour, minute, second) = (hour.try_into(), minute.try_into(), second.try_into());
    let time = Time::new(hour.ok()?, minute.ok()?, second.ok()?, 0).ok()?;
    Some((time, length))
}

/// Returns the moments that a text names: each time of day with the nearest day of its sentence.
pub(super) fn moments(text: &str, today: Date) -> Vec<Mention> {
    let days = days(text, today);
    let each = times(text).into_iter().filter_map(|time| {
        let Meaning::Clock(clock) = time.meaning else {
            return None;
        };
        let whole = sentence(text, &time.at);
        let near = days
            .iter()
            .filter(|day| whole.start <= day.at.start && day.at.end <= whole.end);
        let nearest = near.min_by_key(|day| {
            let before = time.at.start.checked_sub(day.at.end);
            before.unwrap_or_else(|| day.at.start.saturating_sub(time.at.end))
        })?;
        let Meaning::Day(date) = nearest.meaning else {
            return None;
        };
        Some(Mention {
            meaning: Meaning::Moment(DateTime::from_parts(date, clock)),
            also: Some(nearest.at.clone()),
            ..time
        })
    });
    each.collect()
}

//! Formats lists, numbers, sums, durations and moments for people.

use std::collections::BTreeMap;
use std::fmt;

use bus_schema::{Currency, Money};
use jiff::Timestamp;

use crate::known::KnownSet;
use crate::toml_text::quoted;

/// Joins phrases: `a`, `a or b`, `a, b or c`.
pub(crate) fn joined(mut each: Vec<String>, word: &str) -> String {
    let Some(last) = each.pop() else {
        return String::new();
    };
    if each.is_empty() {
        return last;
    }
    format!("{} {word} {last}", each.join(", "))
}

/// Joins displayed values as [`joined`] does.
pub(crate) fn list<T: fmt::Display>(each: &[T], word: &str) -> String {
    joined(each.iter().map(T::to_string).collect(), word)
}

/// Negates the predicate of a sentence: `begins with "a"` becomes `does not begin with "a"`.
pub(crate) fn negated(said: &str) -> String {
    let verbs = [
        ("is ", "is not "),
        ("has ", "does not have "),
        ("begins ", "does not begin "),
        ("ends ", "does not end "),
        ("reads ", "does not read "),
    ];
    if said.contains(" and ") {
        return format!("is not a value that {said}");
    }
    let found = verbs
        .iter()
        .find_map(|(verb, not)| Some(format!("{not}{}", said.strip_prefix(verb)?)));
    found.unwrap_or_else(|| format!("is not a value that {said}"))
}

/// Shortens a text to a number of characters.
pub(crate) fn clipped(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// Formats a number with its noun: `1 call`, `1,000 calls`.
pub(crate) fn counted(many: u64, one: &str, several: &str) -> String {
    let what = if many == 1 { one } else { several };
    format!("{} {what}", grouped(many))
}

/// Formats a whole number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a duration exactly: `15 minutes`, `1 hour and 30 minutes`.
pub(crate) fn duration(ms: u64) -> String {
    let units = [
        (24 * 60 * 60 * 1000, "day", "days"),
        (60 * 60 * 1000, "hour", "hours"),
        (60 * 1000, "minute", "minutes"),
        (1000, "second", "seconds"),
        (1, "millisecond", "milliseconds"),
    ];
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, one, several) in units {
        let many = rest / unit;
        rest %= unit;
        if many > 0 {
            parts.push(counted(many, one, several));
        }
    }
    if parts.is_empty() {
        return "0 seconds".to_owned();
    }
    joined(parts, "and")
}

/// Formats a number of bytes exactly: `64 MiB`, `1,000 bytes`.
pub(crate) fn bytes(many: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if many >= unit && many.is_multiple_of(unit) {
            return format!("{} {name}", grouped(many / unit));
        }
    }
    counted(many, "byte", "bytes")
}

/// Formats a moment of UTC; midnight is the end of one day or the start of the next.
pub(crate) fn moment(ms: i64, end: bool) -> String {
    let least = Timestamp::MIN.as_millisecond();
    let most = Timestamp::MAX.as_millisecond();
    let found = |ms: i64| Timestamp::from_millisecond(ms.clamp(least, most)).unwrap_or_default();
    let midnight = ms.rem_euclid(24 * 60 * 60 * 1000) == 0;
    if midnight {
        let (side, ms) = if end {
            ("end", ms.saturating_sub(1))
        } else {
            ("start", ms)
        };
        let day = found(ms).to_string();
        let day = day.get(..10).unwrap_or(&day);
        return format!("the {side} of {day} (UTC)");
    }
    let text = found(ms).to_string();
    format!("{} (UTC)", text.replace('T', " ").replace('Z', ""))
}

/// Formats amounts of money, one for each currency.
pub(crate) fn moneys(spend: &BTreeMap<Currency, u64>) -> String {
    let each = spend.iter().map(|(currency, minor)| {
        let money = Money {
            currency: *currency,
            minor: *minor,
        };
        money.to_string()
    });
    joined(each.collect(), "and")
}

/// Describes a known set with its values.
pub(crate) fn known(set: &KnownSet) -> String {
    let KnownSet {
        name,
        values,
        aliases,
    } = set;
    if aliases.is_empty() {
        return format!("`{name}` is {}.", list(values, "or"));
    }
    let each = aliases.iter().zip(values);
    let each = each.map(|(alias, value)| format!("{value} by the name of {}", quoted(alias)));
    format!("`{name}` is {}.", joined(each.collect(), "or"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_said_exactly() {
        assert_eq!(joined(vec!["a".into()], "or"), "a");
        assert_eq!(list(&["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(
            (grouped(999), grouped(1_234_567)),
            ("999".into(), "1,234,567".into())
        );
        assert_eq!(duration(5_400_000), "1 hour and 30 minutes");
        assert_eq!(duration(1_001), "1 second and 1 millisecond");
        assert_eq!(
            (bytes(1 << 20), bytes(1025)),
            ("1 MiB".into(), "1,025 bytes".into())
        );
        assert_eq!(moment(86_400_000, true), "the end of 1970-01-01 (UTC)");
        assert_eq!(moment(86_400_000, false), "the start of 1970-01-02 (UTC)");
        assert_eq!(moment(1_000, true), "1970-01-01 00:00:01 (UTC)");
    }
}

//! The server's sync to disk: after each message, or at an interval.

use std::{fmt, str::FromStr, time::Duration};

use crate::Error;

/// The longest interval between two syncs.
const MS_MAX: u64 = 24 * 3_600_000;

/// The server's sync to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// A message is on disk before it is acknowledged.
    Always,
    /// All messages of an interval are synced together: at least 1 ms, at most 24 h.
    Every(Duration),
}

impl FromStr for Sync {
    type Err = Error;

    /// Reads `always`, or an interval that nats-server reads as it is meant: whole numbers with units, such as `1h30m`.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "always" {
            return Ok(Self::Always);
        }
        let ms = interval_ms(text).filter(|ms| (1..=MS_MAX).contains(ms));
        ms.map(|ms| Self::Every(Duration::from_millis(ms)))
            .ok_or_else(|| {
                Error::Document(format!(
                    "the sync interval {text:?} is invalid: write always, or an interval up to 24h such as 500ms, 30s, \
                     2m or 1h30m"
                ))
            })
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Every(every) = self else {
            return f.write_str("always");
        };
        let mut ms = every.as_millis();
        for (unit, of) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if ms >= of {
                write!(f, "{}{unit}", ms / of)?;
                ms %= of;
            }
        }
        Ok(())
    }
}

fn interval_ms(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut ms = 0_u64;
    while !rest.is_empty() {
        let (number, tail) = split(rest, |c| c.is_ascii_digit());
        let (unit, tail) = split(tail, |c| c.is_ascii_lowercase());
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let number = u64::from(number.parse::<u32>().ok()?);
        ms = ms.saturating_add(number.saturating_mul(unit_ms));
        rest = tail;
    }
    Some(ms)
}

/// Splits a text after the characters at its start for which `is` returns true.
fn split(text: &str, is: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::Sync;

    #[test]
    fn intervals_have_units_and_a_bound() {
        for (interval, said) in [
            ("always", "always"),
            ("1ms", "1ms"),
            ("500ms", "500ms"),
            ("30s", "30s"),
            ("2m", "2m"),
            ("90m", "1h30m"),
            ("1h30m", "1h30m"),
            ("24h", "24h"),
            ("1m0s", "1m"),
        ] {
            let read: Sync = interval.parse().unwrap();
            assert_eq!(read.to_string(), said);
        }
        for wrong in [
            "",
            "0",
            "7",
            "0s",
            "1k",
            "2g",
            "2M",
            "s",
            "-1s",
            "+1s",
            "1.5h",
            "1 h",
            "25h",
            "24h1ms",
            "4294967296s",
            "1h30",
            "1\u{b5}s",
            "\"2m\"",
            "2m }",
        ] {
            assert!(wrong.parse::<Sync>().is_err(), "{wrong}");
        }
    }
}

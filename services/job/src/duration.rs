//! Durations of intervals, such as `15m`.

/// The units, with their milliseconds.
const UNITS: [(char, u64); 4] = [
    ('s', 1_000),
    ('m', 60_000),
    ('h', 3_600_000),
    ('d', 86_400_000),
];

/// Returns the milliseconds of a whole number with a unit.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (unit, ms) = UNITS.iter().find(|(unit, _)| text.ends_with(*unit))?;
    let number = text.strip_suffix(*unit)?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok()).flatten()?;
    number.checked_mul(*ms)
}

/// Writes milliseconds so that [`parse`] reads the same.
pub(crate) fn say(ms: u64) -> String {
    let mut units = UNITS.iter().rev();
    let whole = units.find(|(_, of)| ms.is_multiple_of(*of));
    whole.map_or_else(
        || format!("{ms}ms"),
        |(unit, of)| format!("{}{unit}", ms / of),
    )
}

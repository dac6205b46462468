//! Exact amounts: money in whole minor units of a currency, other sums in ten-thousandths.

use bus_schema::{Currency, Money};
use serde_json::Value;

/// Maximum amount, in minor units or ten-thousandths.
const AMOUNT_MAX: u64 = i64::MAX as u64;
/// Decimal places of a sum.
const SUM_PLACES: u32 = 4;

/// An error in a currency or an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MoneyError {
    /// Not three capital letters.
    #[error("a currency is three capital letters, such as EUR")]
    Currency,
    /// Not a currency, a space and an amount with the currency's decimal places.
    #[error("money is a currency and an amount, such as \"EUR 200.00\"")]
    Amount,
}

/// Parses a currency and an amount, such as `EUR 200.00`.
pub(crate) fn money(text: &str) -> Result<Money, MoneyError> {
    let (currency, amount) = text.split_once(' ').ok_or(MoneyError::Amount)?;
    let currency: Currency = currency.parse().map_err(|_| MoneyError::Currency)?;
    let minor = scaled(amount, currency.places()).ok_or(MoneyError::Amount)?;
    Ok(Money { currency, minor })
}

/// Reads a number in ten-thousandths, exactly; `None` if it is negative, finer or too large.
pub(crate) fn ten_thousandths(value: &Value) -> Option<u64> {
    number(value, SUM_PLACES)
}

/// Reads a number in units of `10^-places`, exactly.
pub(crate) fn number(value: &Value, places: u32) -> Option<u64> {
    let number = value.as_number()?;
    if let Some(whole) = number.as_u64() {
        let scaled = whole.checked_mul(10_u64.checked_pow(places)?)?;
        return (scaled <= AMOUNT_MAX).then_some(scaled);
    }
    // The shortest text of a double is its canonical form.
    scaled(&number.as_f64()?.to_string(), places)
}

/// Writes ten-thousandths as a TOML number.
pub(crate) fn sum_text(amount: u64) -> String {
    let unit = 10_u64.pow(SUM_PLACES);
    let (whole, fraction) = (amount / unit, amount % unit);
    let digits = format!("{fraction:0width$}", width = SUM_PLACES as usize);
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return whole.to_string();
    }
    format!("{whole}.{digits}")
}

/// Parses decimal digits with at most `places` after the point.
pub(crate) fn scaled(text: &str, places: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let pointed = text.len() > whole.len();
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (pointed && fraction.is_empty()) {
        return None;
    }
    let missing = places.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = if pointed { fraction.parse().ok()? } else { 0 };
    let fraction = fraction.checked_mul(10_u64.checked_pow(missing)?)?;
    let scaled = whole.checked_mul(10_u64.checked_pow(places)?)?;
    scaled
        .checked_add(fraction)
        .filter(|all| *all <= AMOUNT_MAX)
}

//! Counts money in whole minor units of a currency, and other sums in ten-thousandths, without rounding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest amount, in minor units or ten-thousandths.
const AMOUNT_MAX: u64 = i64::MAX as u64;
/// Decimal places of a sum.
const SUM_PLACES: u32 = 4;

/// A currency by its three capital letters of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Currency([u8; 3]);

/// Why a text is no currency or no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three capital letters.
    #[error("a currency is three capital letters, such as EUR")]
    Currency,
    /// Not a currency, a space and an amount with the currency's decimal places.
    #[error("money is a currency and an amount, such as \"EUR 200.00\"")]
    Amount,
}

impl Currency {
    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many decimal places its major unit has.
    #[must_use]
    pub fn places(self) -> u32 {
        match self.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
            | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|c| c.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(MoneyError::Currency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount of one currency that is not negative; as text `EUR 200.00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Money {
    /// Of what.
    pub currency: Currency,
    /// How many minor units: cents of EUR, whole JPY.
    pub minor: u64,
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (currency, amount) = text.split_once(' ').ok_or(MoneyError::Amount)?;
        let currency: Currency = currency.parse()?;
        let minor = scaled(amount, currency.places()).ok_or(MoneyError::Amount)?;
        Ok(Self { currency, minor })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.currency.places();
        write!(f, "{} {}", self.currency, unscaled(self.minor, places, true))
    }
}

/// Reads a number in ten-thousandths, exactly; none for negative ones, finer ones, and beyond the greatest.
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
    // The shortest text of a double is the one that the canonical form has.
    scaled(&number.as_f64()?.to_string(), places)
}

/// Writes ten-thousandths as a TOML number.
pub(crate) fn sum_text(amount: u64) -> String {
    unscaled(amount, SUM_PLACES, false)
}

/// Reads decimal digits with at most `places` behind the point.
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
    scaled.checked_add(fraction).filter(|all| *all <= AMOUNT_MAX)
}

fn unscaled(amount: u64, places: u32, all: bool) -> String {
    let unit = 10_u64.pow(places);
    let (whole, fraction) = (amount / unit, amount % unit);
    let digits = format!("{fraction:0width$}", width = places as usize);
    let digits = if all {
        digits.as_str()
    } else {
        digits.trim_end_matches('0')
    };
    if places == 0 || digits.is_empty() {
        return whole.to_string();
    }
    format!("{whole}.{digits}")
}

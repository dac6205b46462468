//! The prices of what an answer says was used.

use std::collections::BTreeMap;

use bus_schema::{Currency, Money};
use serde::Deserialize;

use crate::money::scaled;

/// Decimal places of a price, in major units of its currency.
const PRICE_PLACES: u32 = 6;
/// The units that a price is for.
const UNITS: u128 = 1_000_000;

/// The prices of the units that an answer counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// The currency.
    pub currency: Currency,
    /// The price of a million units, for each count.
    pub per_million: Vec<Price>,
}

/// The price of the units of one count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The place of the count in the answer, by JSON Pointer.
    pub at: String,
    /// The price of a million units.
    pub price: Rate,
    /// The place of another count that has these units too; they are paid at this price alone.
    pub within: Option<String>,
    /// True if a missing count is none.
    #[serde(default)]
    pub optional: bool,
}

/// A price in millionths of the major unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate(u64);

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        scaled(&text, PRICE_PLACES).map(Self).ok_or_else(|| {
            format!(
                "{text:?} is no price; write such as \"3.00\", with at most {PRICE_PLACES} decimals"
            )
        })
    }
}

impl Prices {
    /// Returns the money that the counted units cost, rounded up; `number` returns the count at a place. None if a count is missing,
    /// or is more than the one that it is within.
    #[must_use]
    pub fn of(&self, number: &dyn Fn(&str) -> Option<u64>) -> Option<Money> {
        let mut units: BTreeMap<&str, u64> = BTreeMap::new();
        for price in &self.per_million {
            let missing = || price.optional.then_some(0);
            units.insert(&price.at, number(&price.at).or_else(missing)?);
        }
        for price in &self.per_million {
            if let Some(outer) = price.within.as_deref() {
                let inner = *units.get(price.at.as_str())?;
                let outer = units.get_mut(outer)?;
                *outer = outer.checked_sub(inner)?;
            }
        }
        let mut cost: u128 = 0;
        for price in &self.per_million {
            let units = u128::from(*units.get(price.at.as_str())?);
            cost = cost.checked_add(units.checked_mul(u128::from(price.price.0))?)?;
        }
        let minor = cost.checked_mul(10_u128.pow(self.currency.places()))?;
        let minor = minor.div_ceil(UNITS * 10_u128.pow(PRICE_PLACES));
        Some(Money {
            currency: self.currency,
            minor: u64::try_from(minor).ok()?,
        })
    }

    /// Returns the first problem.
    pub(super) fn fault(&self, is_pointer: impl Fn(&str) -> bool) -> Option<String> {
        if self.per_million.is_empty() {
            return Some("has `prices` without a price; write one, or leave them out".to_owned());
        }
        for (nth, price) in self.per_million.iter().enumerate() {
            let at = &price.at;
            if !is_pointer(at) {
                return Some(format!(
                    "has a price at {at:?}; write such as \"/usage/input_tokens\""
                ));
            }
            let earlier = self.per_million.iter().take(nth);
            if earlier.clone().any(|other| other.at == *at) {
                return Some(format!("has two prices at {at:?}; leave one out"));
            }
            let is_outer = |other: &Price| other.within.is_none();
            if let Some(outer) = &price.within
                && !self
                    .per_million
                    .iter()
                    .any(|other| other.at == *outer && is_outer(other))
            {
                return Some(format!(
                    "has a price within {outer:?}, which has no price of its own; write that one too"
                ));
            }
        }
        None
    }
}

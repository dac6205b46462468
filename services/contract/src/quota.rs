//! The quotas of one rule, and the amounts that a call takes from them.

use std::collections::BTreeMap;
use std::fmt;

use bus_schema::{ArgumentName, Counts, Currency, Money};
use serde_json::{Map, Value};

use crate::bound::matching::lookup;
use crate::money::{number, sum_text, ten_thousandths};
use crate::toml_text::{key, quoted};
use crate::usage::{Period, RuleTotals};

/// The quotas of a rule, by period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Per task.
    pub task: Quota,
    /// Per hour of UTC, over all tasks of the contract.
    pub hour: Quota,
    /// Per day of UTC, over all tasks of the contract.
    pub day: Quota,
    /// Over all tasks of the contract, ever.
    pub contract: Quota,
}

/// The quota of a rule in one period; omitted parts are bounded only by the limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// The number of calls.
    pub calls: Option<u64>,
    /// The maximum sums of arguments, in ten-thousandths.
    pub sums: BTreeMap<ArgumentName, u64>,
    /// The maximum money, in minor units; if any currency is given, no other may be moved.
    pub spend: BTreeMap<Currency, u64>,
}

/// The money that a call moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spend {
    /// The money in an argument.
    Argument(SpentArgument),
    /// At most this, whatever the arguments are; its executor says how much it was.
    AtMost(Money),
}

/// The argument that says how much money a call moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentArgument {
    /// The argument with the amount.
    pub argument: String,
    /// The currency.
    pub currency: SpendCurrency,
    /// True if the argument is in minor units (cents), not major ones.
    pub minor: bool,
}

/// The currency of the money that a call moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpendCurrency {
    /// A fixed currency.
    Fixed(Currency),
    /// The currency in this argument.
    Argument(String),
}

/// The part of a quota that a call exceeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QuotaExceeded {
    Calls,
    Sum(ArgumentName),
    Spend(Currency),
}

impl Spend {
    /// Returns the money that a call moves at most.
    ///
    /// # Errors
    /// The argument that does not give it exactly.
    pub(crate) fn money(&self, args: &Map<String, Value>) -> Result<Money, &str> {
        match self {
            Self::Argument(spent) => spent.money(args).ok_or(spent.argument.as_str()),
            Self::AtMost(money) => Ok(*money),
        }
    }
}

impl SpentArgument {
    fn money(&self, args: &Map<String, Value>) -> Option<Money> {
        let currency = match &self.currency {
            SpendCurrency::Fixed(currency) => *currency,
            SpendCurrency::Argument(name) => lookup(args, name)?.as_str()?.parse().ok()?,
        };
        let places = if self.minor { 0 } else { currency.places() };
        let minor = number(lookup(args, &self.argument)?, places)?;
        Some(Money { currency, minor })
    }
}

impl Quotas {
    /// The quota of a period.
    #[must_use]
    pub fn of(&self, period: Period) -> &Quota {
        match period {
            Period::Task => &self.task,
            Period::Hour => &self.hour,
            Period::Day => &self.day,
            Period::Contract => &self.contract,
        }
    }

    pub(crate) fn of_mut(&mut self, period: Period) -> &mut Quota {
        match period {
            Period::Task => &mut self.task,
            Period::Hour => &mut self.hour,
            Period::Day => &mut self.day,
            Period::Contract => &mut self.contract,
        }
    }

    /// Returns the values of all summed arguments, or the first argument that cannot be counted exactly.
    pub(crate) fn sums(
        &self,
        args: &Map<String, Value>,
    ) -> Result<BTreeMap<ArgumentName, u64>, &str> {
        let mut sums = BTreeMap::new();
        for name in Period::ALL
            .iter()
            .flat_map(|period| self.of(*period).sums.keys())
        {
            let amount = lookup(args, name.as_str())
                .and_then(ten_thousandths)
                .ok_or(name.as_str())?;
            sums.insert(name.clone(), amount);
        }
        Ok(sums)
    }
}

impl Quota {
    /// Returns the number of calls left, or the part of the quota that one more call exceeds.
    pub(crate) fn room(
        &self,
        used: Option<&RuleTotals>,
        call: &Counts,
    ) -> Result<u64, QuotaExceeded> {
        let calls = used.map_or(0, |used| used.calls);
        let left = self.calls.unwrap_or(u64::MAX).saturating_sub(calls);
        if left == 0 {
            return Err(QuotaExceeded::Calls);
        }
        for (name, most) in &self.sums {
            let so_far = used
                .and_then(|used| used.sums.get(name))
                .copied()
                .unwrap_or_default();
            let amount = call.sums.get(name).copied().unwrap_or_default();
            if so_far.saturating_add(amount) > *most {
                return Err(QuotaExceeded::Sum(name.clone()));
            }
        }
        if let Some(money) = call.spend.filter(|_| !self.spend.is_empty()) {
            let most = self.spend.get(&money.currency).copied().unwrap_or_default();
            let so_far = used
                .and_then(|used| used.spend.get(&money.currency))
                .copied();
            if so_far.unwrap_or_default().saturating_add(money.minor) > most {
                return Err(QuotaExceeded::Spend(money.currency));
            }
        }
        Ok(left)
    }
}

/// Writes one amount of money as itself, several amounts as a list.
pub(crate) fn moneys(spend: &BTreeMap<Currency, u64>) -> String {
    let each: Vec<Money> = spend
        .iter()
        .map(|(currency, minor)| Money {
            currency: *currency,
            minor: *minor,
        })
        .collect();
    crate::toml_text::quoted_list(&each)
}

/// Writes the quotas as keys of a rule that parse to the same quotas.
impl fmt::Display for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(calls) = self.task.calls {
            writeln!(f, "calls = {calls}")?;
        }
        let task = Quota {
            calls: None,
            ..self.task.clone()
        };
        for (key, quota) in [
            ("per_task", &task),
            ("per_hour", &self.hour),
            ("per_day", &self.day),
            ("per_contract", &self.contract),
        ] {
            if *quota != Quota::default() {
                writeln!(f, "{key} = {quota}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.calls.map(|calls| format!("calls = {calls}"));
        let sums = self.sums.iter();
        let sums: Vec<String> = sums
            .map(|(name, most)| format!("{} = {}", key(name.as_str()), sum_text(*most)))
            .collect();
        let sums = (!sums.is_empty()).then(|| format!("sum = {{ {} }}", sums.join(", ")));
        let spend = (!self.spend.is_empty()).then(|| format!("spend = {}", moneys(&self.spend)));
        let all: Vec<String> = [calls, sums, spend].into_iter().flatten().collect();
        write!(f, "{{ {} }}", all.join(", "))
    }
}

impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(spent) => spent.fmt(f),
            Self::AtMost(money) => write!(f, "{{ at_most = {} }}", quoted(&money.to_string())),
        }
    }
}

impl fmt::Display for SpentArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let currency = match &self.currency {
            SpendCurrency::Fixed(currency) => quoted(currency.as_str()),
            SpendCurrency::Argument(name) => format!("{{ argument = {} }}", quoted(name)),
        };
        let unit = if self.minor { "minor" } else { "major" };
        let argument = quoted(&self.argument);
        write!(
            f,
            "{{ argument = {argument}, currency = {currency}, unit = \"{unit}\" }}"
        )
    }
}

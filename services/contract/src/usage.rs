//! Usage counters, in total, by rule and by tool: reserved at the grant, settled by the outcome, released on lapse.

use std::collections::BTreeMap;

use bus_schema::{ArgumentName, Counts, Currency, Money, RuleId};
use serde::{Deserialize, Serialize};

/// An hour in milliseconds.
const HOUR_MS: i64 = 60 * 60 * 1000;
/// A day in milliseconds.
const DAY_MS: i64 = 24 * HOUR_MS;

/// The resources that a call may use; a grant takes them and one call from the limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// Milliseconds, at least 1.
    pub wall_ms: u64,
    /// Bytes of output, at least 1.
    pub output_bytes: u64,
    /// The amounts taken from the other limits.
    pub counts: Counts,
}

impl Allowance {
    /// Creates an allowance of time and output only.
    #[must_use]
    pub fn new(wall_ms: u64, output_bytes: u64) -> Self {
        let counts = Counts::default();
        Self {
            wall_ms,
            output_bytes,
            counts,
        }
    }
}

/// The rule and the tool that a call counts under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Under<'a> {
    /// The rule that permitted it.
    pub rule: &'a RuleId,
    /// The name of its tool.
    pub tool: &'a str,
}

/// The actual usage of a call, less or more than its reservation. An unknown amount counts as the reserved
/// amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Milliseconds.
    pub wall_ms: u64,
    /// Bytes of output.
    pub output_bytes: u64,
    /// Tokens of a model.
    pub tokens: Option<u64>,
    /// Bytes of arguments of outward calls.
    pub bytes_out: Option<u64>,
    /// Moved money.
    pub spend: Option<Money>,
}

/// The sum over grants. A sum that overflows stays at its maximum, even after a settle or release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Totals {
    /// Admitted tasks of a contract; 0 in the totals of one task.
    pub tasks: u64,
    /// Calls, including those in flight.
    pub calls: u64,
    /// Milliseconds used or reserved.
    pub wall_ms: u64,
    /// Bytes of output used or reserved.
    pub output_bytes: u64,
    /// Tokens used or reserved.
    pub tokens: u64,
    /// Canonical bytes of arguments of outward calls.
    pub bytes_out: u64,
    /// Outward calls.
    pub messages: u64,
    /// Moved money, in minor units.
    pub spend: BTreeMap<Currency, u64>,
    /// Totals by the rule that permitted the calls.
    pub by_rule: BTreeMap<RuleId, RuleTotals>,
    /// Calls by tool, including those in flight.
    pub by_tool: BTreeMap<String, u64>,
}

/// The sum over the grants of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleTotals {
    /// Calls.
    pub calls: u64,
    /// Sums of arguments, in ten-thousandths.
    pub sums: BTreeMap<ArgumentName, u64>,
    /// Money, in minor units.
    pub spend: BTreeMap<Currency, u64>,
}

/// Subtracts a part from a sum.
fn less(sum: u64, part: u64) -> u64 {
    if sum == u64::MAX {
        sum
    } else {
        sum.saturating_sub(part)
    }
}

fn nothing() -> &'static Totals {
    static NOTHING: Totals = Totals {
        tasks: 0,
        calls: 0,
        wall_ms: 0,
        output_bytes: 0,
        tokens: 0,
        bytes_out: 0,
        messages: 0,
        spend: BTreeMap::new(),
        by_rule: BTreeMap::new(),
        by_tool: BTreeMap::new(),
    };
    &NOTHING
}

impl Totals {
    /// Counts a call.
    pub fn reserve(&mut self, under: Under<'_>, call: &Allowance) {
        self.each(under, call, u64::saturating_add);
    }

    /// Removes a grant that was never used.
    pub fn release(&mut self, under: Under<'_>, call: &Allowance) {
        self.each(under, call, less);
    }

    /// Replaces the reservation of a call by its actual usage; the call and its sums stay counted.
    pub fn settle(&mut self, under: Under<'_>, call: &Allowance, spent: &Spent) {
        let replace = |used: &mut u64, reserved: u64, spent: Option<u64>| {
            if let Some(spent) = spent {
                *used = less(*used, reserved).saturating_add(spent);
            }
        };
        let counts = &call.counts;
        replace(&mut self.wall_ms, call.wall_ms, Some(spent.wall_ms));
        let output = Some(spent.output_bytes);
        replace(&mut self.output_bytes, call.output_bytes, output);
        replace(&mut self.tokens, counts.tokens, spent.tokens);
        replace(&mut self.bytes_out, counts.bytes_out, spent.bytes_out);
        if let Some(money) = spent.spend {
            // Money in another currency than the reservation is added to it.
            let same = |reserved: &Money| reserved.currency == money.currency;
            let reserved = counts.spend.filter(same).map_or(0, |money| money.minor);
            let by_rule = self.by_rule.entry(under.rule.clone()).or_default();
            for sums in [&mut self.spend, &mut by_rule.spend] {
                let sum = sums.entry(money.currency).or_default();
                replace(sum, reserved, Some(money.minor));
            }
        }
    }

    fn each(&mut self, under: Under<'_>, call: &Allowance, change: fn(u64, u64) -> u64) {
        let Under { rule, tool } = under;
        let outward = u64::from(call.counts.outward);
        self.calls = change(self.calls, 1);
        self.wall_ms = change(self.wall_ms, call.wall_ms);
        self.output_bytes = change(self.output_bytes, call.output_bytes);
        self.tokens = change(self.tokens, call.counts.tokens);
        self.bytes_out = change(self.bytes_out, call.counts.bytes_out);
        self.messages = change(self.messages, outward);
        // Only the first call of a tool or a rule needs a key of its own.
        if !self.by_tool.contains_key(tool) {
            self.by_tool.insert(tool.to_owned(), 0);
        }
        if let Some(calls) = self.by_tool.get_mut(tool) {
            *calls = change(*calls, 1);
        }
        if !self.by_rule.contains_key(rule) {
            self.by_rule.insert(rule.clone(), RuleTotals::default());
        }
        let by_rule = self.by_rule.get_mut(rule);
        for by_rule in by_rule.into_iter() {
            by_rule.calls = change(by_rule.calls, 1);
            for (argument, amount) in &call.counts.sums {
                let sum = by_rule.sums.entry(argument.clone()).or_default();
                *sum = change(*sum, *amount);
            }
            if let Some(money) = call.counts.spend {
                let sum = by_rule.spend.entry(money.currency).or_default();
                *sum = change(*sum, money.minor);
            }
        }
        if let Some(money) = call.counts.spend {
            let sum = self.spend.entry(money.currency).or_default();
            *sum = change(*sum, money.minor);
        }
    }

    /// Returns the calls of the tools that `is_one` names.
    pub(crate) fn calls_of(&self, is_one: impl Fn(&str) -> bool) -> u64 {
        let each = self.by_tool.iter().filter(|(tool, _)| is_one(tool));
        each.fold(0, |sum, (_, calls)| sum.saturating_add(*calls))
    }

    /// Returns the totals of one rule.
    pub(crate) fn rule(&self, rule: &RuleId) -> Option<&RuleTotals> {
        self.by_rule.get(rule)
    }
}

/// The usage of all tasks of one contract: in the current hour and day of UTC, and ever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractTotals {
    hour: i64,
    of_hour: Totals,
    day: i64,
    of_day: Totals,
    of_all: Totals,
}

impl ContractTotals {
    /// Counts a call that was permitted at `now_ms`.
    pub fn reserve(&mut self, now_ms: i64, under: Under<'_>, call: &Allowance) {
        for totals in self.from(now_ms) {
            totals.reserve(under, call);
        }
    }

    /// Counts a task that was admitted at `now_ms`.
    pub fn admit(&mut self, now_ms: i64) {
        for totals in self.from(now_ms) {
            totals.tasks = totals.tasks.saturating_add(1);
        }
    }

    /// Begins the hour and the day of `now_ms` if they are new, and returns the totals that count from then on.
    fn from(&mut self, now_ms: i64) -> [&mut Totals; 3] {
        let (hour, day) = (now_ms.div_euclid(HOUR_MS), now_ms.div_euclid(DAY_MS));
        if hour > self.hour {
            (self.hour, self.of_hour) = (hour, Totals::default());
        }
        if day > self.day {
            (self.day, self.of_day) = (day, Totals::default());
        }
        [&mut self.of_hour, &mut self.of_day, &mut self.of_all]
    }

    /// Removes a grant of `granted_ms` that was never used; from its hour and day only if these are still current.
    pub fn release(&mut self, granted_ms: i64, under: Under<'_>, call: &Allowance) {
        self.at(granted_ms, |used| used.release(under, call));
    }

    /// Replaces the reservation of `granted_ms` by the actual usage; in its hour and day only if these are still
    /// current.
    pub fn settle(&mut self, granted_ms: i64, under: Under<'_>, call: &Allowance, spent: &Spent) {
        self.at(granted_ms, |used| used.settle(under, call, spent));
    }

    fn at(&mut self, granted_ms: i64, change: impl Fn(&mut Totals)) {
        if granted_ms.div_euclid(HOUR_MS) >= self.hour {
            change(&mut self.of_hour);
        }
        if granted_ms.div_euclid(DAY_MS) >= self.day {
            change(&mut self.of_day);
        }
        change(&mut self.of_all);
    }

    /// Returns the usage in the hour of `now_ms`; a clock that moves back does not reset it.
    pub(crate) fn hour(&self, now_ms: i64) -> &Totals {
        if now_ms.div_euclid(HOUR_MS) > self.hour {
            nothing()
        } else {
            &self.of_hour
        }
    }

    /// Returns the usage of all time.
    pub(crate) fn all(&self) -> &Totals {
        &self.of_all
    }

    /// Returns the usage in the day of `now_ms`; a clock that moves back does not reset it.
    pub(crate) fn day(&self, now_ms: i64) -> &Totals {
        if now_ms.div_euclid(DAY_MS) > self.day {
            nothing()
        } else {
            &self.of_day
        }
    }
}

/// The scope of a limit or quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// One task.
    Task,
    /// All tasks of the contract in one hour of UTC.
    Hour,
    /// All tasks of the contract in one day of UTC.
    Day,
    /// All tasks of the contract ever, in all its versions.
    Contract,
}

impl Period {
    /// All periods, shortest first.
    pub(crate) const ALL: [Self; 4] = [Self::Task, Self::Hour, Self::Day, Self::Contract];

    /// The period in a sentence about at most so many calls.
    pub(crate) const fn within(self) -> &'static str {
        match self {
            Self::Task => "in one task",
            Self::Hour => "in one hour, over all tasks",
            Self::Day => "in one day, over all tasks",
            Self::Contract => "as long as the contract holds, over all tasks",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Contract => "contract",
        }
    }
}

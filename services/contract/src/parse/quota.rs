//! Parses the quotas of a rule and the money that a call moves.

use std::collections::BTreeMap;

use bus_schema::Currency;
use toml::de::DeValue;

use super::source::{Node, Source, Table};
use super::tools::About;
use crate::money::{money, scaled, ten_thousandths};
use crate::quota::{Quota, Quotas, Spend, SpendCurrency, SpentArgument};
use crate::rule::Rule;
use crate::usage::Period;

/// Maximum length of an amount of money, in characters.
const MONEY_CHARS_MAX: usize = 40;

/// Reads `calls`, `per_task`, `per_hour`, `per_day` and `per_contract`.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &About<'_>,
) -> Option<Quotas> {
    let mut quotas = Quotas::default();
    let mut complete = true;
    for (key, what, period) in [
        ("per_task", "`per_task`", Period::Task),
        ("per_hour", "`per_hour`", Period::Hour),
        ("per_day", "`per_day`", Period::Day),
        ("per_contract", "`per_contract`", Period::Contract),
    ] {
        let Some(node) = of.table.get(key) else {
            continue;
        };
        match quota(source, node, what, about) {
            Some(quota) => *quotas.of_mut(period) = quota,
            None => complete = false,
        }
    }
    if let Some(node) = of.table.get("calls") {
        let calls = source.count(node, "`calls`", 1)?;
        if quotas.task.calls.is_some() {
            let problem = "`calls` and `per_task` both say how many calls of a task";
            source.report(node.span(), problem, "keep one of them");
            return None;
        }
        quotas.task.calls = Some(calls);
    }
    complete.then_some(quotas)
}

fn quota<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    what: &'static str,
    about: &About<'_>,
) -> Option<Quota> {
    let of = source.table(node, what, &["calls", "sum", "spend"])?;
    let mut quota = Quota::default();
    if let Some(node) = of.table.get("calls") {
        quota.calls = Some(source.count(node, "`calls`", 1)?);
    }
    if let Some(node) = of.table.get("sum") {
        let Some(table) = node.get_ref().as_table().filter(|table| !table.is_empty()) else {
            source.mistyped(node, "`sum`", "`sum = { <argument> = <most> }`");
            return None;
        };
        for (key, node) in table {
            let name = key.get_ref().as_ref();
            about.check(source, key.span(), name)?;
            let Ok(argument) = name.parse() else {
                let fix = "sum another argument: only one with letters, digits, `-`, `_` and `.` in its name can be counted";
                source.report(key.span(), format!("{name:?} cannot be summed"), fix);
                return None;
            };
            quota.sums.insert(argument, most(source, node)?);
        }
    }
    if let Some(node) = of.table.get("spend") {
        quota.spend = moneys(source, node)?;
    }
    if quota == Quota::default() {
        source.report(
            of.span,
            format!("{what} says nothing"),
            "write `calls`, `sum` or `spend`",
        );
        return None;
    }
    Some(quota)
}

/// Reads the maximum sum of an argument, in ten-thousandths.
fn most(source: &mut Source<'_>, node: &Node<'_>) -> Option<u64> {
    let found = match node.get_ref() {
        DeValue::Integer(_) => {
            let value = source.count(node, "the sum", 0)?;
            ten_thousandths(&value.into())
        }
        DeValue::Float(written) => scaled(&written.as_str().replace('_', ""), 4),
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    };
    if found.is_none() {
        let fix = "write a number with at most four decimals, such as 100 or 99.95";
        source.report(node.span(), "this cannot be counted exactly", fix);
    }
    found
}

/// Reads one amount of money or a list of amounts, one for each currency.
pub(super) fn moneys<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
) -> Option<BTreeMap<Currency, u64>> {
    let mut all = BTreeMap::new();
    let mut add = |source: &mut Source<'t>, node: &'t Node<'t>| {
        let text = source.text(node, "`spend`", MONEY_CHARS_MAX)?;
        let money = money(text.as_str())
            .map_err(|_| {
                let fix =
                    "write a currency and an amount with all its decimals, such as \"EUR 200.00\"";
                source.report(node.span(), format!("{text:?} is no amount of money"), fix);
            })
            .ok()?;
        if all.insert(money.currency, money.minor).is_some() {
            let problem = format!("{} is limited twice", money.currency);
            source.report(node.span(), problem, "keep one of them");
            return None;
        }
        Some(())
    };
    if node.get_ref().as_array().is_none() {
        add(source, node)?;
        return Some(all);
    }
    for item in source.items(node, "`spend`")? {
        add(source, item)?;
    }
    Some(all)
}

/// The `spend` of a rule.
pub(super) enum Moves {
    /// Not given.
    Unsaid,
    /// No money is moved.
    Nothing,
    /// This money is moved.
    Money(Spend),
}

/// Reads the money that a call moves.
pub(super) fn spend<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &About<'_>,
) -> Option<Moves> {
    let Some(node) = of.table.get("spend") else {
        return Some(Moves::Unsaid);
    };
    if node.get_ref().as_str() == Some("nothing") {
        return Some(Moves::Nothing);
    }
    let of = source.table(
        node,
        "`spend`",
        &["argument", "currency", "unit", "at_most"],
    )?;
    if let Some(node) = of.table.get("at_most") {
        return at_most(source, &of, node);
    }
    let argument = argument(source, &of, about);
    let currency = source.required(&of, "currency");
    let currency = currency.and_then(|node| currency_of(source, node, about));
    let minor = match of.table.get("unit") {
        None => Some(false),
        Some(node) => match node.get_ref().as_str() {
            Some("major") => Some(false),
            Some("minor") => Some(true),
            Some(_) | None => {
                let fix =
                    "write \"major\" if the argument counts euros, \"minor\" if it counts cents";
                source.report(node.span(), "`unit` is neither major nor minor", fix);
                None
            }
        },
    };
    Some(Moves::Money(Spend::Argument(SpentArgument {
        argument: argument?,
        currency: currency?,
        minor: minor?,
    })))
}

/// Reads a fixed amount, which stands alone.
fn at_most<'t>(source: &mut Source<'t>, of: &Table<'t>, node: &'t Node<'t>) -> Option<Moves> {
    if of.table.len() > 1 {
        let fix = "keep `at_most`, or the argument with its currency";
        source.report(of.span.clone(), "`spend` says two amounts", fix);
        return None;
    }
    let text = source.text(node, "`at_most`", MONEY_CHARS_MAX)?;
    let read = money(&text);
    if read.is_err() {
        let fix = "write a currency and an amount with all its decimals, such as \"EUR 0.50\"";
        source.report(node.span(), format!("{text:?} is no amount of money"), fix);
    }
    read.ok().map(|money| Moves::Money(Spend::AtMost(money)))
}

fn argument<'t>(source: &mut Source<'t>, of: &Table<'t>, about: &About<'_>) -> Option<String> {
    let node = source.required(of, "argument")?;
    let name = source.text(node, "`argument`", 500)?;
    about.check(source, node.span(), &name)?;
    Some(name)
}

fn currency_of<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    about: &About<'_>,
) -> Option<SpendCurrency> {
    if node.get_ref().as_table().is_some() {
        let of = source.table(node, "`currency`", &["argument"])?;
        return argument(source, &of, about).map(SpendCurrency::Argument);
    }
    let text = source.text(node, "`currency`", 3)?;
    let currency = text.parse();
    if currency.is_err() {
        let fix = "write three capital letters such as \"EUR\", or { argument = … }";
        source.report(node.span(), format!("{text:?} is no currency"), fix);
    }
    currency.ok().map(SpendCurrency::Fixed)
}

/// Reports a rule that limits money and does not state the money that a call moves.
pub(super) fn counts_money<'t>(source: &mut Source<'t>, of: &Table<'t>, rule: &Rule) -> Option<()> {
    let limits = Period::ALL
        .iter()
        .any(|period| !rule.quotas.of(*period).spend.is_empty());
    if limits && rule.spend.is_none() {
        let problem = "the rule limits money and does not say how much a call moves";
        let fix = "add `spend = { argument = …, currency = \"EUR\" }`";
        source.report(of.span.clone(), problem, fix);
        return None;
    }
    Some(())
}

//! Quotas and limits that are raised by what a refused call needs.

use bus_schema::RuleId;
use serde_json::Value;

use super::refused::{Changed, Place, Refused, Try, changed_rule};
use crate::bound::matching::lookup;
use crate::limits::{CALL_WALL_MS_MAX, LimitExceeded, LimitKind};
use crate::quota::{Quota, QuotaExceeded, Spend, SpendCurrency, moneys};
use crate::toml_text;
use crate::usage::Period;
use crate::verdict::{Change, Fix};

impl Refused<'_> {
    /// Raises the quota of the rule by the amount that this call needs.
    pub(super) fn more(&self, id: &RuleId, period: Period, lack: &QuotaExceeded) -> Option<Try> {
        let mut rule = self.rule(id)?.clone();
        let before = rule.quotas.of(period).clone();
        let view = &self.case.context.view;
        let used = view.used(period);
        let used = used.rule(id).cloned().unwrap_or_default();
        let args = self.case.context.args;
        let quota = rule.quotas.of_mut(period);
        let mut amounts: Vec<&str> = Vec::new();
        match lack {
            QuotaExceeded::Calls => quota.calls = Some(used.calls.checked_add(1)?),
            QuotaExceeded::Sum(name) => {
                amounts.push(name.as_str());
                let amount = lookup(args, name.as_str()).and_then(crate::money::ten_thousandths)?;
                let so_far = used.sums.get(name).copied().unwrap_or_default();
                quota.sums.insert(name.clone(), so_far.checked_add(amount)?);
            }
            QuotaExceeded::Spend(currency) => {
                let spend = rule.spend.as_ref()?;
                if let Spend::Argument(spent) = spend {
                    amounts.push(&spent.argument);
                    if let SpendCurrency::Argument(name) = &spent.currency {
                        amounts.push(name);
                    }
                }
                let money = spend.money(args).ok()?;
                let so_far = used.spend.get(currency).copied().unwrap_or_default();
                quota
                    .spend
                    .insert(*currency, so_far.checked_add(money.minor)?);
            }
        }
        let mut values = amounts
            .into_iter()
            .filter_map(|name| Some((name, lookup(args, name)?)));
        let open = values.find(|(name, value)| self.sources.is_open(name, value));
        let (key, new, old) = of_rule(period, lack, [rule.quotas.of(period), &before]);
        let place = self.written(&key, (new, old), open)?;
        Some(changed_rule(rule, place))
    }

    /// Raises one limit by the amount that this call needs.
    pub(super) fn raised(&self, full: &LimitExceeded) -> Option<Try> {
        let mut head = self.contract.head.clone();
        let needed = match &full.kind {
            LimitKind::WallTime => CALL_WALL_MS_MAX,
            LimitKind::OutputBytes => self.case.tool.output_bytes_max(),
            LimitKind::Calls
            | LimitKind::Tokens
            | LimitKind::BytesOut
            | LimitKind::Messages
            | LimitKind::Spend(_)
            | LimitKind::Tools(_) => full.needed,
        };
        let mut limit = full.used.checked_add(needed)?;
        if full.kind == LimitKind::WallTime {
            limit = limit.div_ceil(1000).checked_mul(1000)?;
        }
        let caps = head.limits.of_mut(full.period);
        let before = moneys(&caps.spend);
        caps.set(full.kind.clone(), limit);
        let key = full.kind.key();
        let (new, old) = match &full.kind {
            LimitKind::WallTime => (format!("\"{}s\"", limit / 1000), String::new()),
            LimitKind::Spend(_) => (moneys(&caps.spend), before),
            LimitKind::Tools(tool) => {
                let tool = toml_text::key(tool);
                (format!("{{ {tool} = {limit} }}"), String::new())
            }
            LimitKind::Calls
            | LimitKind::OutputBytes
            | LimitKind::Tokens
            | LimitKind::BytesOut
            | LimitKind::Messages => (limit.to_string(), String::new()),
        };
        // Only these amounts are those of the call's arguments.
        let chosen = matches!(full.kind, LimitKind::Spend(_) | LimitKind::BytesOut);
        let open = (chosen && self.sources.any_open()).then_some((key, &Value::Null));
        let Place { toml, open } = self.written(key, (new, old), open)?;
        let change = Change::RaiseLimit {
            period: full.period,
        };
        Some((Changed::Header(head), Fix { change, toml, open }))
    }
}

/// Returns the key of a rule for a quota, its new value and its value before.
fn of_rule(period: Period, lack: &QuotaExceeded, quotas: [&Quota; 2]) -> (String, String, String) {
    let [new, old] = match (period, lack) {
        (Period::Task, QuotaExceeded::Calls) => {
            let calls = quotas.map(|quota| quota.calls.unwrap_or_default().to_string());
            let [new, old] = calls;
            return ("calls".to_owned(), new, old);
        }
        (Period::Task, QuotaExceeded::Sum(_) | QuotaExceeded::Spend(_)) => quotas.map(|quota| {
            let calls = None;
            let quota = quota.clone();
            Quota { calls, ..quota }.to_string()
        }),
        (Period::Hour | Period::Day | Period::Contract, _) => quotas.map(ToString::to_string),
    };
    (format!("per_{}", period.word()), new, old)
}

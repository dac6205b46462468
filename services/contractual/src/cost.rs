//! The usage of a task so far, by the outcomes on record.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// The usage of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cost {
    /// The answers of models.
    pub(crate) answers: u32,
    /// The other executed calls.
    pub(crate) calls: u32,
    /// Tokens.
    pub(crate) tokens: u64,
    /// Money in minor units, by currency.
    pub(crate) spend: BTreeMap<String, u64>,
}

impl Cost {
    /// Adds the outcome of an action.
    pub(crate) fn add(&mut self, finished: &Value, is_model: bool) {
        let count = if is_model {
            &mut self.answers
        } else {
            &mut self.calls
        };
        *count = count.saturating_add(1);
        let usage = finished.get("usage").unwrap_or(&Value::Null);
        let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
        let tokens = number(usage, "tokens").unwrap_or_default();
        self.tokens = self.tokens.saturating_add(tokens);
        let spend = usage.get("spend").unwrap_or(&Value::Null);
        let currency = spend.get("currency").and_then(Value::as_str);
        if let (Some(currency), Some(minor)) = (currency, number(spend, "minor")) {
            let sum = self.spend.entry(currency.to_owned()).or_default();
            *sum = sum.saturating_add(minor);
        }
    }

    /// The usage in words.
    pub(crate) fn text(&self) -> String {
        let counted = |count: u64, one: &str| {
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} {one}{plural}")
        };
        let mut parts = vec![
            counted(self.answers.into(), "answer"),
            counted(self.calls.into(), "call"),
            counted(self.tokens, "token"),
        ];
        let money = |(currency, minor): (&String, &u64)| {
            format!("{}.{:02} {currency}", minor / 100, minor % 100)
        };
        parts.extend(self.spend.iter().map(money));
        parts.join(", ")
    }
}

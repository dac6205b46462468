//! Checks that one more task fits into a contract's limits on tasks.

use thiserror::Error;

use crate::contract::Contract;
use crate::usage::{ContractTotals, Period, Totals};

/// A limit on tasks that one more task would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the contract admits {limit} tasks in one {} and had them; write a higher `tasks` in `[limits.{}]` and sign it",
    .period.word(),
    .period.word()
)]
pub struct TasksExceeded {
    /// The period.
    pub period: Period,
    /// The limit.
    pub limit: u64,
}

impl Contract {
    /// Checks that one more task fits into the limits at `now_ms`, beside those that `shared` counts.
    ///
    /// # Errors
    /// The shortest period whose limit would be exceeded.
    pub fn admits(&self, shared: &ContractTotals, now_ms: i64) -> Result<(), TasksExceeded> {
        let fits = |period: Period, used: &Totals| match self.limits().of(period).tasks {
            Some(limit) if used.tasks >= limit => Err(TasksExceeded { period, limit }),
            Some(_) | None => Ok(()),
        };
        fits(Period::Hour, shared.hour(now_ms))?;
        fits(Period::Day, shared.day(now_ms))?;
        fits(Period::Contract, shared.all())
    }
}

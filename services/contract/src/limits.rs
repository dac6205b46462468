//! The limits of a contract, and the reservation of a call within them.

use std::collections::BTreeMap;

use bus_schema::{Currency, Money};

use crate::matcher::Matcher;
use crate::show::words::{bytes, counted, duration, grouped};
use crate::usage::{Allowance, Period, Totals};

/// Maximum time that is reserved for one call, in milliseconds.
pub(crate) const CALL_WALL_MS_MAX: u64 = 60_000;
/// Maximum output that is reserved for one call, in bytes.
pub(crate) const CALL_OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// The limits of a contract, by period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Per task.
    pub task: PeriodLimits,
    /// Per hour of UTC, over all tasks.
    pub hour: PeriodLimits,
    /// Per day of UTC, over all tasks.
    pub day: PeriodLimits,
    /// Over all tasks ever.
    pub contract: PeriodLimits,
}

/// The limits of one period; `None` means unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeriodLimits {
    /// Maximum admitted tasks; none for the limits of one task.
    pub tasks: Option<u64>,
    /// Maximum calls.
    pub calls: Option<u64>,
    /// Maximum total time of all calls, in milliseconds.
    pub wall_ms: Option<u64>,
    /// Maximum total output of all calls, in bytes.
    pub output_bytes: Option<u64>,
    /// Maximum tokens.
    pub tokens: Option<u64>,
    /// Maximum canonical bytes of arguments of outward calls.
    pub bytes_out: Option<u64>,
    /// Maximum outward calls.
    pub messages: Option<u64>,
    /// Maximum money, in minor units; if any currency is given, no other may be moved.
    pub spend: BTreeMap<Currency, u64>,
    /// Maximum calls of a tool, or of all tools of a pattern together, by its text.
    pub tools: BTreeMap<String, ToolLimit>,
}

/// The maximum calls of a tool, or of all tools of a pattern together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolLimit {
    /// The name or the pattern.
    pub tool: Matcher,
    /// The maximum.
    pub calls: u64,
}

/// The kind of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LimitKind {
    Calls,
    WallTime,
    OutputBytes,
    Tokens,
    BytesOut,
    Messages,
    Spend(Currency),
    /// The calls of this tool, or of all tools of this pattern.
    Tools(String),
}

/// A limit that a call exceeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LimitExceeded {
    pub(crate) period: Period,
    pub(crate) kind: LimitKind,
    pub(crate) used: u64,
    pub(crate) needed: u64,
    pub(crate) limit: u64,
}

impl LimitKind {
    /// The key in the contract.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::WallTime => "wall_time",
            Self::OutputBytes => "output_bytes",
            Self::Tokens => "tokens",
            Self::BytesOut => "bytes_out",
            Self::Messages => "messages",
            Self::Spend(_) => "spend",
            Self::Tools(_) => "tools",
        }
    }
}

impl LimitExceeded {
    /// The name of the built-in check, such as `limits.day.spend`.
    pub(crate) fn check(&self) -> String {
        let key = self.kind.key();
        match self.period {
            Period::Task => format!("limits.{key}"),
            Period::Hour | Period::Day | Period::Contract => {
                format!("limits.{}.{key}", self.period.word())
            }
        }
    }

    /// The reason for people, in one sentence.
    pub(crate) fn why(&self) -> String {
        let whose = match self.period {
            Period::Task => "the task has".to_owned(),
            Period::Hour | Period::Day | Period::Contract => {
                format!("all tasks of this {} have", self.period.word())
            }
        };
        if let LimitKind::Spend(currency) = self.kind {
            let money = |minor| Money { currency, minor };
            let (used, limit, needed) = (money(self.used), money(self.limit), money(self.needed));
            return format!(
                "{whose} moved {used} of at most {limit}, and this call would move {needed}"
            );
        }
        let counted = |many: u64| match &self.kind {
            LimitKind::Tools(tool) => {
                format!("{} of `{tool}`", counted(many, "call", "calls"))
            }
            LimitKind::WallTime => format!("{} of running time", duration(many)),
            LimitKind::OutputBytes => format!("{} of results", bytes(many)),
            LimitKind::BytesOut => format!("{} that leave", bytes(many)),
            LimitKind::Tokens => counted(many, "token", "tokens"),
            LimitKind::Messages => counted(
                many,
                "call that lets something leave",
                "calls that let something leave",
            ),
            LimitKind::Calls | LimitKind::Spend(_) => counted(many, "call", "calls"),
        };
        let more = match self.kind {
            LimitKind::Tokens | LimitKind::BytesOut => {
                format!(", and this call needs {}", grouped(self.needed))
            }
            LimitKind::Calls
            | LimitKind::WallTime
            | LimitKind::OutputBytes
            | LimitKind::Messages
            | LimitKind::Spend(_)
            | LimitKind::Tools(_) => String::new(),
        };
        let used = match self.kind {
            LimitKind::WallTime => duration(self.used),
            LimitKind::OutputBytes | LimitKind::BytesOut => bytes(self.used),
            LimitKind::Calls
            | LimitKind::Tokens
            | LimitKind::Messages
            | LimitKind::Spend(_)
            | LimitKind::Tools(_) => grouped(self.used),
        };
        format!(
            "{whose} used {} of at most {}{more}",
            used,
            counted(self.limit)
        )
    }
}

impl Limits {
    /// The limits of a period.
    #[must_use]
    pub fn of(&self, period: Period) -> &PeriodLimits {
        match period {
            Period::Task => &self.task,
            Period::Hour => &self.hour,
            Period::Day => &self.day,
            Period::Contract => &self.contract,
        }
    }

    pub(crate) fn of_mut(&mut self, period: Period) -> &mut PeriodLimits {
        match period {
            Period::Task => &mut self.task,
            Period::Hour => &mut self.hour,
            Period::Day => &mut self.day,
            Period::Contract => &mut self.contract,
        }
    }

    /// Returns true if money is limited in any period.
    pub(crate) fn count_money(&self) -> bool {
        let mut all = Period::ALL.iter();
        all.any(|period| !self.of(*period).spend.is_empty())
    }

    /// Returns true if tokens are limited in any period.
    pub(crate) fn count_tokens(&self) -> bool {
        let mut all = Period::ALL.iter();
        all.any(|period| self.of(*period).tokens.is_some())
    }

    /// Returns true if bytes of arguments are limited in any period.
    pub(crate) fn count_bytes(&self) -> bool {
        Period::ALL
            .iter()
            .any(|period| self.of(*period).bytes_out.is_some())
    }
}

impl PeriodLimits {
    /// The limit of this kind.
    pub(crate) fn get(&self, kind: &LimitKind) -> Option<u64> {
        match kind {
            LimitKind::Calls => self.calls,
            LimitKind::WallTime => self.wall_ms,
            LimitKind::OutputBytes => self.output_bytes,
            LimitKind::Tokens => self.tokens,
            LimitKind::BytesOut => self.bytes_out,
            LimitKind::Messages => self.messages,
            LimitKind::Spend(_) if self.spend.is_empty() => None,
            LimitKind::Spend(currency) => {
                Some(self.spend.get(currency).copied().unwrap_or_default())
            }
            LimitKind::Tools(tool) => self.tools.get(tool).map(|limit| limit.calls),
        }
    }

    pub(crate) fn set(&mut self, kind: LimitKind, limit: u64) {
        match kind {
            LimitKind::Calls => self.calls = Some(limit),
            LimitKind::WallTime => self.wall_ms = Some(limit),
            LimitKind::OutputBytes => self.output_bytes = Some(limit),
            LimitKind::Tokens => self.tokens = Some(limit),
            LimitKind::BytesOut => self.bytes_out = Some(limit),
            LimitKind::Messages => self.messages = Some(limit),
            LimitKind::Spend(currency) => {
                self.spend.insert(currency, limit);
            }
            LimitKind::Tools(tool) => {
                if let Some(of_tool) = self.tools.get_mut(&tool) {
                    of_tool.calls = limit;
                }
            }
        }
    }

    /// Checks that the call of `tool` fits beside `used`, and reduces its time and output to the remainder.
    pub(crate) fn reserve(
        &self,
        period: Period,
        used: &Totals,
        (tool, call): (&str, &mut Allowance),
    ) -> Result<(), LimitExceeded> {
        let full = |kind, used, needed, limit| LimitExceeded {
            period,
            kind,
            used,
            needed,
            limit,
        };
        let fits = |kind: LimitKind, used: u64, needed: u64| match self.get(&kind) {
            Some(limit) if needed > 0 && used.saturating_add(needed) > limit => {
                Err(full(kind, used, needed, limit))
            }
            Some(_) | None => Ok(()),
        };
        fits(LimitKind::Calls, used.calls, 1)?;
        for (name, of_tool) in &self.tools {
            if of_tool.tool.matches(tool) {
                let so_far = used.calls_of(|tool| of_tool.tool.matches(tool));
                fits(LimitKind::Tools(name.clone()), so_far, 1)?;
            }
        }
        let left = |kind: LimitKind, used: u64, call: u64| match self.get(&kind) {
            Some(limit) if used >= limit => Err(full(kind, used, 1, limit)),
            Some(limit) => Ok(call.min(limit - used)),
            None => Ok(call),
        };
        call.wall_ms = left(LimitKind::WallTime, used.wall_ms, call.wall_ms)?;
        call.output_bytes = left(LimitKind::OutputBytes, used.output_bytes, call.output_bytes)?;
        fits(LimitKind::Tokens, used.tokens, call.counts.tokens)?;
        if let Some(Money { currency, minor }) = call.counts.spend {
            let so_far = used.spend.get(&currency).copied().unwrap_or_default();
            fits(LimitKind::Spend(currency), so_far, minor)?;
        }
        fits(LimitKind::BytesOut, used.bytes_out, call.counts.bytes_out)?;
        fits(
            LimitKind::Messages,
            used.messages,
            u64::from(call.counts.outward),
        )
    }
}

//! Keeps what is on record of one task: the owner's words, whose task it is, what it used, and its outcomes.

use std::collections::BTreeMap;

use bus_schema::RuleId;
use serde_json::{Map, Value};

use crate::labels::Labels;
use crate::usage::{Allowance, ContractTotals, Period, Spent, Totals};

/// What a decision may know beside the contract, the catalogue and the call.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The time of the bus, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// What is on record of the task.
    pub record: &'a Record,
    /// What all tasks of the contract used.
    pub shared: &'a ContractTotals,
}

impl<'a> View<'a> {
    /// What counts against the limits of a period.
    pub(crate) fn used(&self, period: Period) -> &'a Totals {
        match period {
            Period::Task => &self.record.used,
            Period::Hour => self.shared.hour(self.now_ms),
            Period::Day => self.shared.day(self.now_ms),
            Period::Contract => self.shared.all(),
        }
    }
}

/// What is on record of one task. It only grows: labels never go down, and outcomes stay.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    principal: String,
    text: Option<String>,
    /// What was granted to the task so far, each call with what it reserved until its outcome says what it used,
    /// and without those that lapsed unclaimed.
    pub used: Totals,
    labels: Labels,
    outcomes: BTreeMap<String, Vec<Outcome>>,
    succeeded: BTreeMap<String, u64>,
}

/// One call that was started.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) args: Map<String, Value>,
    pub(crate) labels: Labels,
    pub(crate) stage: Stage,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// Nothing is known yet.
    Running,
    /// It failed, or nobody will ever know.
    Failed,
    /// It succeeded; without a result, none was recorded, or it was erased.
    Succeeded(Option<Value>),
}

/// Names one started call of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    tool: String,
    at: usize,
}

impl Default for Record {
    fn default() -> Self {
        Self::new("session", None)
    }
}

impl Record {
    /// The record of a task that has done nothing. `principal` is `session`, `session:<id>` or `job:<name>`;
    /// `text` the owner's words, exactly as they were signed.
    #[must_use]
    pub fn new(principal: impl Into<String>, text: Option<String>) -> Self {
        Self {
            principal: principal.into(),
            text,
            used: Totals::default(),
            labels: Labels::START,
            outcomes: BTreeMap::new(),
            succeeded: BTreeMap::new(),
        }
    }

    /// On whose behalf the task runs.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The owner's words, if there are any.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The join of the labels of all outcomes.
    #[must_use]
    pub fn labels(&self) -> Labels {
        self.labels
    }

    /// How many calls of each tool succeeded; tools without any are not in it.
    #[must_use]
    pub fn succeeded(&self) -> &BTreeMap<String, u64> {
        &self.succeeded
    }

    /// Counts calls that succeeded and of which nothing else is looked at.
    pub fn count(&mut self, tool: &str, succeeded: u64) {
        if succeeded > 0 {
            let count = self.succeeded.entry(tool.to_owned()).or_default();
            *count = count.saturating_add(succeeded);
        }
    }

    /// Counts a call that is done at once: as reserved, but for its time, which is none, and its output.
    pub(crate) fn done(
        &mut self,
        shared: &mut ContractTotals,
        now_ms: i64,
        (rule, reserve): (&RuleId, &Allowance),
        output_bytes: usize,
    ) {
        let spent = Spent {
            wall_ms: 0,
            output_bytes: u64::try_from(output_bytes).unwrap_or(u64::MAX),
            tokens: None,
            bytes_out: None,
            spend: None,
        };
        self.used.reserve(rule, reserve);
        self.used.settle(rule, reserve, &spent);
        shared.reserve(now_ms, rule, reserve);
        shared.settle(now_ms, rule, reserve, &spent);
    }

    /// Joins labels that come from elsewhere, such as memory or a child task.
    pub fn taint(&mut self, labels: Labels) {
        self.labels = self.labels.join(labels);
    }

    /// Notes that a granted call was started; from now on the task has the labels of its output.
    pub fn start(&mut self, tool: &str, args: Map<String, Value>, labels: Labels) -> Started {
        self.labels = self.labels.join(labels);
        let of_tool = self.outcomes.entry(tool.to_owned()).or_default();
        let at = of_tool.len();
        of_tool.push(Outcome {
            args,
            labels,
            stage: Stage::Running,
        });
        let tool = tool.to_owned();
        Started { tool, at }
    }

    /// Notes that a started call succeeded. `result` is what it returned; none if that is not recorded. Only the
    /// first word about a call counts.
    pub fn succeed(&mut self, started: &Started, result: Option<Value>) {
        if let Some(stage) = self.running(started) {
            *stage = Stage::Succeeded(result);
            let count = self.succeeded.entry(started.tool.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Notes that a started call failed, or that its outcome will never be known.
    pub fn fail(&mut self, started: &Started) {
        if let Some(stage) = self.running(started) {
            *stage = Stage::Failed;
        }
    }

    /// Forgets the result of a call whose bytes were erased; that it succeeded stays.
    pub fn erase(&mut self, started: &Started) {
        if let Some(Stage::Succeeded(result)) = self.stage(started) {
            *result = None;
        }
    }

    fn stage(&mut self, started: &Started) -> Option<&mut Stage> {
        let of_tool = self.outcomes.get_mut(&started.tool)?;
        of_tool
            .get_mut(started.at)
            .map(|outcome| &mut outcome.stage)
    }

    fn running(&mut self, started: &Started) -> Option<&mut Stage> {
        self.stage(started)
            .filter(|stage| **stage == Stage::Running)
    }

    /// The started calls of a tool, oldest first.
    pub(crate) fn outcomes(&self, tool: &str) -> &[Outcome] {
        self.outcomes.get(tool).map_or(&[], Vec::as_slice)
    }
}

//! The record of one task: its text, slots, principal, usage, labels and outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus_schema::RuleId;
use serde_json::{Map, Value};

use crate::labels::{Integrity, Labels, OutputLabels, Secrecy};
use crate::slot_values::SlotValues;
use crate::usage::{Allowance, ContractTotals, Period, Spent, Totals, Under};

/// The state that a decision reads, in addition to the contract, the catalogue and the call.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The bus time, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// The record of the task.
    pub record: &'a Record,
    /// The usage of all tasks of the contract.
    pub shared: &'a ContractTotals,
}

impl<'a> View<'a> {
    /// Returns the usage that counts against the limits of a period.
    pub(crate) fn used(&self, period: Period) -> &'a Totals {
        match period {
            Period::Task => &self.record.used,
            Period::Hour => self.shared.hour(self.now_ms),
            Period::Day => self.shared.day(self.now_ms),
            Period::Contract => self.shared.all(),
        }
    }
}

/// The record of one task. It only grows: labels never go down, and outcomes stay.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    principal: String,
    text: Option<String>,
    /// The task text with the further words of the owner, each after an empty line.
    words: Option<String>,
    /// True if some of the further words are not known.
    words_lack: bool,
    /// The values of its slots; `None` if they are not known.
    slots: Option<SlotValues>,
    /// True if a message from outside filled in some of them.
    of_message: bool,
    /// The usage of the task: each granted call counts its reservation until its outcome gives the actual usage.
    /// Calls that lapsed unclaimed do not count.
    pub used: Totals,
    labels: Labels,
    /// The labels of the outputs by tool.
    sources: BTreeMap<String, Labels>,
    outcomes: BTreeMap<String, Vec<StartedCall>>,
    succeeded: BTreeMap<String, u64>,
    /// The arguments of the granted calls, by the rule that counts them; `None` if they are not known.
    taken: BTreeMap<RuleId, Vec<Option<Map<String, Value>>>>,
}

/// A started call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StartedCall {
    pub(crate) args: Map<String, Value>,
    pub(crate) labels: Labels,
    /// True if contract, owner's words and trusted results determined its arguments.
    pub(crate) determined: bool,
    pub(crate) stage: Stage,
    /// The fields of its result that are trusted although the rest is not.
    fields: Arc<BTreeSet<String>>,
}

impl StartedCall {
    /// Returns true if this field of its result is labelled as trusted.
    pub(crate) fn trusts(&self, field: &str) -> bool {
        self.fields.contains(field)
    }
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// No outcome yet.
    Running,
    /// Failed, or outcome unknown forever.
    Failed,
    /// Succeeded; the result is `None` if it was not recorded or was erased.
    Succeeded(Option<Value>),
}

/// The handle of a started call of one record.
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
    /// Creates the record of a new task. `principal` is `session`, `session:<id>` or `job:<name>`;
    /// `text` is the task text exactly as the owner signed it.
    #[must_use]
    pub fn new(principal: impl Into<String>, text: Option<String>) -> Self {
        Self {
            principal: principal.into(),
            words: text.clone(),
            words_lack: false,
            text,
            slots: Some(SlotValues::default()),
            of_message: false,
            used: Totals::default(),
            labels: Labels::START,
            sources: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            succeeded: BTreeMap::new(),
            taken: BTreeMap::new(),
        }
    }

    /// The principal of the task.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The task text, if any.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Adds further words of the owner: values may come from them as from the task text. `None` if they are not known:
    /// then no value comes from any words, since the missing ones may have named another.
    pub fn say(&mut self, words: Option<&str>) {
        let Some(words) = words else {
            self.words_lack = true;
            return;
        };
        let all = self.words.get_or_insert_default();
        all.push_str("\n\n");
        all.push_str(words);
    }

    /// The words of the owner: the task text, and what the owner said later. `None` if there are none, or not all are known.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        self.words.as_deref().filter(|_| !self.words_lack)
    }

    /// Fills in the slots of the task, as the owner signed them with it; `None` if the values are not known.
    pub fn fill(&mut self, slots: Option<SlotValues>) {
        self.slots = slots;
    }

    /// Takes the values of the slots as untrusted data from now on: a message from outside filled in some of them.
    pub fn distrust_slots(&mut self) {
        self.of_message = true;
        let labels = Labels {
            integrity: Integrity::Untrusted,
            secrecy: Secrecy::Private,
        };
        self.taint("the message that started the task", labels);
    }

    /// Returns true if the owner filled in the slots.
    pub(crate) const fn slots_are_the_owners(&self) -> bool {
        !self.of_message
    }

    /// The values of its slots; `None` if they are not known.
    pub(crate) fn slots(&self) -> Option<&SlotValues> {
        self.slots.as_ref()
    }

    /// The join of the labels of all outcomes.
    #[must_use]
    pub fn labels(&self) -> Labels {
        self.labels
    }

    /// The number of succeeded calls by tool; tools without any are absent.
    #[must_use]
    pub fn succeeded(&self) -> &BTreeMap<String, u64> {
        &self.succeeded
    }

    /// Counts succeeded calls whose arguments and results are not needed.
    pub fn count(&mut self, tool: &str, succeeded: u64) {
        if succeeded > 0 {
            let count = self.succeeded.entry(tool.to_owned()).or_default();
            *count = count.saturating_add(succeeded);
        }
    }

    /// Counts a call that is done immediately: no time, the given output, and the rest as reserved.
    pub(crate) fn done(
        &mut self,
        shared: &mut ContractTotals,
        now_ms: i64,
        (under, reserve): (Under<'_>, &Allowance),
        output_bytes: usize,
    ) {
        let spent = Spent {
            wall_ms: 0,
            output_bytes: u64::try_from(output_bytes).unwrap_or(u64::MAX),
            tokens: None,
            bytes_out: None,
            spend: None,
        };
        self.used.reserve(under, reserve);
        self.used.settle(under, reserve, &spent);
        shared.reserve(now_ms, under, reserve);
        shared.settle(now_ms, under, reserve, &spent);
    }

    /// Records the arguments of a granted call that counts under `rule`, in addition to its usage; `None` if they are not
    /// known. Calls that lapsed unclaimed do not count.
    pub fn take(&mut self, rule: &RuleId, args: Option<Map<String, Value>>) {
        self.taken.entry(rule.clone()).or_default().push(args);
    }

    /// The arguments of the granted calls that count under a rule.
    pub(crate) fn taken(&self, rule: &RuleId) -> &[Option<Map<String, Value>>] {
        self.taken.get(rule).map_or(&[], Vec::as_slice)
    }

    /// Joins the labels of the output of a tool.
    pub fn taint(&mut self, tool: &str, labels: Labels) {
        self.labels = self.labels.join(labels);
        let sources = self.sources.entry(tool.to_owned());
        let of_tool = sources.or_insert(Labels::START);
        *of_tool = of_tool.join(labels);
    }

    /// The tools whose outputs have such labels, sorted.
    pub(crate) fn sources(&self, is_such: impl Fn(Labels) -> bool) -> impl Iterator<Item = &str> {
        let each = self.sources.iter();
        each.filter(move |(_, labels)| is_such(**labels))
            .map(|(tool, _)| tool.as_str())
    }

    /// Records the start of a granted call; from now on the task has the labels of its output. The call is `determined`
    /// as its verdict said.
    pub fn start(
        &mut self,
        tool: &str,
        args: Map<String, Value>,
        (labels, determined): (Labels, bool),
    ) -> Started {
        self.taint(tool, labels);
        let of_tool = self.outcomes.entry(tool.to_owned()).or_default();
        let at = of_tool.len();
        of_tool.push(StartedCall {
            args,
            labels,
            determined,
            stage: Stage::Running,
            fields: Arc::default(),
        });
        let tool = tool.to_owned();
        Started { tool, at }
    }

    /// Records the start of a granted call as [`Self::start`] does, also with the labels of single fields of its output.
    pub fn start_labelled(
        &mut self,
        tool: &str,
        args: Map<String, Value>,
        (output, determined): (&OutputLabels, bool),
    ) -> Started {
        let started = self.start(tool, args, (output.labels, determined));
        let of_tool = self.outcomes.get_mut(&started.tool);
        if let Some(call) = of_tool.and_then(|calls| calls.get_mut(started.at)) {
            call.fields = Arc::clone(&output.trusted);
        }
        started
    }

    /// Records the success of a started call. `result` is `None` if it is not recorded. Only the first outcome of a
    /// call counts.
    pub fn succeed(&mut self, started: &Started, result: Option<Value>) {
        if let Some(stage) = self.running(started) {
            *stage = Stage::Succeeded(result);
            let count = self.succeeded.entry(started.tool.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Records the failure of a started call, or an outcome that stays unknown.
    pub fn fail(&mut self, started: &Started) {
        if let Some(stage) = self.running(started) {
            *stage = Stage::Failed;
        }
    }

    /// Removes the result of a call whose bytes were erased; the success stays.
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

    /// Returns the started calls of a tool, oldest first.
    pub(crate) fn outcomes(&self, tool: &str) -> &[StartedCall] {
        self.outcomes.get(tool).map_or(&[], Vec::as_slice)
    }
}

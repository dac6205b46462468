//! Decides calls from JSON lines without a bus, each on the current record of its task.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::decide::decide_with;
use crate::explain::{RuleExplanation, explain};
use crate::labels::{Labels, WrittenLabels};
use crate::name::is_principal;
use crate::record::{Record, View};
use crate::slot_values::SlotValues;
use crate::usage::{ContractTotals, Under};
use crate::verdict::Fix;
use crate::verdict::{Call, Code, Verdict};
use bus_schema::json;

/// Maximum length of a line, in bytes.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// The answer to every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Approved: the call is done.
    Approve,
    /// Denied: the call is not done.
    Deny,
}

/// An error that stops a batch.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A line is not a valid call.
    #[error("line {line}: {problem}")]
    Line {
        /// The line number, from 1.
        line: usize,
        /// The problem and the repair.
        problem: String,
    },
    /// The calls cannot be read.
    #[error("the calls cannot be read")]
    Read(#[source] std::io::Error),
    /// The verdicts cannot be written.
    #[error("the verdicts cannot be written")]
    Write(#[source] std::io::Error),
}

/// Tasks of one contract, decided line by line.
#[derive(Debug)]
pub struct Batch<'c> {
    contract: &'c Contract,
    catalogue: &'c Catalogue,
    asks: Asks,
    now_ms: i64,
    tasks: BTreeMap<String, Task>,
    shared: ContractTotals,
    explains: bool,
}

/// A call of a batch with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The name of the task.
    pub task: String,
    /// The name of the call.
    pub call: Value,
    /// The verdict.
    pub verdict: Verdict,
    /// The results of the rules about the tool; `None` unless the batch explains.
    pub rules: Option<Vec<RuleExplanation>>,
}

#[derive(Debug)]
struct Task {
    record: Record,
    called: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    task: Option<String>,
    text: Option<String>,
    principal: Option<String>,
    slots: Option<BTreeMap<String, Value>>,
    call: Option<Value>,
    tool: Option<String>,
    #[serde(borrow)]
    args: Option<&'l RawValue>,
    output: Option<WrittenLabels>,
    #[serde(borrow)]
    result: Option<&'l RawValue>,
}

#[derive(Serialize)]
struct Said<'a> {
    task: &'a str,
    call: &'a Value,
    verdict: &'static str,
    rule: &'a str,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a Fix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<&'a [RuleExplanation]>,
}

impl<'c> Batch<'c> {
    /// Creates an empty batch; every call is made at `now_ms` (milliseconds since 1970 UTC).
    #[must_use]
    pub fn new(contract: &'c Contract, catalogue: &'c Catalogue, asks: Asks, now_ms: i64) -> Self {
        Self {
            contract,
            catalogue,
            asks,
            now_ms,
            tasks: BTreeMap::new(),
            shared: ContractTotals::default(),
            explains: false,
        }
    }

    /// Enables explanations: each verdict has the results of all rules about the tool, and `task` and `call` are
    /// optional.
    #[must_use]
    pub fn explaining(self) -> Self {
        Self {
            explains: true,
            ..self
        }
    }

    /// Reads one line: a call, whose verdict is returned as one line of JSON without a line end, or the text of a
    /// task, which must come before the task's first call.
    ///
    /// # Errors
    /// The problem of the line.
    pub fn line(&mut self, line: &str) -> Result<Option<String>, String> {
        let decided = self.decide(line)?;
        Ok(decided.map(|decided| decided.to_json()))
    }

    /// Reads one line as [`Batch::line`] does, and returns the verdict as a value.
    ///
    /// # Errors
    /// The problem of the line.
    pub fn decide(&mut self, line: &str) -> Result<Option<Decided>, String> {
        let read: Line<'_> = serde_json::from_str(line).map_err(|error| {
            format!("{error}; write {{\"task\", \"call\", \"tool\", \"args\"}} or {{\"task\", \"text\"}}")
        })?;
        let Line {
            task,
            call,
            tool,
            args,
            text,
            principal,
            slots,
            output,
            result,
        } = read;
        let (task, call) = if self.explains {
            let one = call.or_else(|| tool.is_some().then(|| Value::from("call")));
            (Some(task.unwrap_or_else(|| "task".to_owned())), one)
        } else {
            (task, call)
        };
        let task = task.ok_or("`task` is missing; name the task")?;
        let given = text.is_some() || slots.is_some();
        match (call, tool, args, text, principal) {
            (Some(call), Some(tool), Some(args), None, None) => {
                if !call.is_string() && !call.is_number() {
                    return Err("`call` is neither a text nor a number; name the call".to_owned());
                }
                if slots.is_some() {
                    self.begin(task.clone(), None, slots, None)?;
                }
                let output = output.map(Labels::from);
                self.call(task, call, (&tool, args), output, result).map(Some)
            }
            (None, None, None, text, principal)
                if given && output.is_none() && result.is_none() =>
            {
                self.begin(task, text, slots, principal).map(|()| None)
            }
            _ => Err("the line is neither a call nor a task text; write {task, call, tool, args} or {task, text}".to_owned()),
        }
    }

    /// Begins a task with its text and its slots, before its first call.
    fn begin(
        &mut self,
        task: String,
        text: Option<String>,
        slots: Option<BTreeMap<String, Value>>,
        principal: Option<String>,
    ) -> Result<(), String> {
        if self.tasks.contains_key(&task) {
            let what = if text.is_some() { "text" } else { "slots" };
            return Err(format!(
                "the line with the {what} of task {task:?} is not its first one; put it first"
            ));
        }
        let mut values = SlotValues::default();
        for (name, value) in slots.iter().flatten() {
            values.insert(name, value.clone());
        }
        if slots.is_some() {
            let checked = self.contract.check_slots(&values, self.now_ms);
            checked.map_err(|error| error.to_string())?;
        }
        let principal = principal.unwrap_or_else(|| self.principal());
        if !is_principal(&principal) {
            return Err(format!(
                "{principal:?} is not a principal; write \"session\" or \"job:<name>\""
            ));
        }
        let mut record = Record::new(principal, text);
        record.fill(Some(values));
        let called = false;
        self.tasks.insert(task, Task { record, called });
        Ok(())
    }

    /// The default principal of a task: the first principal of the contract.
    fn principal(&self) -> String {
        self.contract
            .principals()
            .first()
            .cloned()
            .unwrap_or_default()
    }

    fn call(
        &mut self,
        task: String,
        call: Value,
        (tool, args): (&str, &RawValue),
        output: Option<Labels>,
        result: Option<&RawValue>,
    ) -> Result<Decided, String> {
        if !self.tasks.contains_key(&task) {
            let record = Record::new(self.principal(), None);
            let called = true;
            self.tasks.insert(task.clone(), Task { record, called });
        }
        let Some(Task { record, called }) = self.tasks.get_mut(&task) else {
            return Err(format!("task {task:?} is unknown"));
        };
        *called = true;
        let view = View {
            now_ms: self.now_ms,
            record,
            shared: &self.shared,
        };
        let said = Call {
            tool,
            args: args.get().as_bytes(),
        };
        let (verdict, valid) = decide_with(self.contract, self.catalogue, &view, &said);
        let rules = self
            .explains
            .then(|| explain(self.contract, self.catalogue, &view, &said, &verdict));
        let happens = match &verdict {
            Verdict::Granted {
                rule,
                reserve,
                determined,
                ..
            } => Some((rule, reserve, *determined)),
            Verdict::Ask {
                rule,
                reserve,
                determined,
                ..
            } if self.asks == Asks::Approve => Some((rule, reserve, *determined)),
            Verdict::Ask { .. } | Verdict::Refused { .. } => None,
        };
        if let (Some((rule, reserve, determined)), Some((tool, args))) = (happens, valid) {
            let output_bytes = result.map_or(0, |result| result.get().len());
            record.take(rule, Some(args.clone()));
            let name = tool.name().as_str();
            let under = Under { rule, tool: name };
            record.done(
                &mut self.shared,
                self.now_ms,
                (under, reserve),
                output_bytes,
            );
            let started = match output {
                Some(labels) => record.start(name, args, (labels, determined)),
                None => record.start_labelled(name, args, (tool.output_labels(), determined)),
            };
            let result = result.and_then(|result| json::result(result.get().as_bytes()));
            // A result that breaks its schema is no evidence.
            let result = result.filter(|result| tool.takes_result(result));
            record.succeed(&started, result);
        }
        Ok(Decided {
            task,
            call,
            verdict,
            rules,
        })
    }

    /// Decides every line of `calls` and writes each verdict immediately.
    ///
    /// # Errors
    /// The first invalid line, or an I/O error; earlier verdicts are written.
    pub fn run(
        mut self,
        mut calls: impl BufRead,
        mut verdicts: impl Write,
    ) -> Result<(), BatchError> {
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            let wrong = |problem: String| BatchError::Line { line, problem };
            let mut bounded = std::io::Read::take(&mut calls, LINE_BYTES_MAX as u64 + 1);
            let read = bounded
                .read_until(b'\n', &mut text)
                .map_err(BatchError::Read)?;
            if read == 0 {
                break;
            }
            if read > LINE_BYTES_MAX {
                return Err(wrong(format!(
                    "longer than {LINE_BYTES_MAX} bytes; shorten it"
                )));
            }
            let text = std::str::from_utf8(&text)
                .map_err(|error| wrong(format!("{error}; write UTF-8")))?;
            if text.trim().is_empty() {
                continue;
            }
            if let Some(mut said) = self.line(text).map_err(wrong)? {
                said.push('\n');
                let written = verdicts.write_all(said.as_bytes());
                written
                    .and_then(|()| verdicts.flush())
                    .map_err(BatchError::Write)?;
            }
        }
        Ok(())
    }
}

impl Decided {
    /// Formats the verdict as one line of JSON, without a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (verdict, rule, why, fix, code) = match &self.verdict {
            Verdict::Granted { rule, why, .. } => ("granted", rule, why, None, None),
            Verdict::Ask { rule, why, .. } => ("ask", rule, why, None, None),
            Verdict::Refused {
                rule,
                code,
                why,
                fix,
            } => ("refused", rule, why, fix.as_ref(), Some(*code)),
        };
        let said = Said {
            task: &self.task,
            call: &self.call,
            verdict,
            rule: rule.as_str(),
            why,
            fix,
            code,
            rules: self.rules.as_deref(),
        };
        serde_json::to_string(&said).unwrap_or_default()
    }
}

//! Keeps the bytes of tasks' histories that rules look at, and puts a task's record together from them.

use std::collections::BTreeMap;

use actor::Key;
use bus_schema::{ActionId, AuthorId, Digest, TaskId};
use contract::{
    ARGUMENTS_BYTES_MAX, CallParts, Catalogue, HistoryNeeds, Integrity, Labels, Record, Secrecy,
    Tool, json,
};
use serde_json::{Map, Value};

use crate::fetch::{CallPart, Fetch};
use crate::state::{CallOutcome, StartedCall, Task};

/// On whose behalf a task runs that a person handed in.
const PRINCIPAL: &str = "session";
/// The labels of what outcome from a tool that the catalogue has no longer, or has otherwise.
const GONE: Labels = Labels {
    integrity: Integrity::Untrusted,
    secrecy: Secrecy::Secret,
};

/// What was read of the histories of open tasks.
#[derive(Debug, Default)]
pub(crate) struct HistoryCache {
    tasks: BTreeMap<TaskId, TaskHistory>,
}

/// What was read of one task's past; what was erased, or is of no use, is none.
#[derive(Debug, Default)]
struct TaskHistory {
    words: Option<Option<String>>,
    parts: BTreeMap<(ActionId, CallPart), Option<Value>>,
}

impl HistoryCache {
    /// Adds what has to be read before a call is judged whose rules look at `recall`.
    pub(crate) fn want(
        &self,
        id: TaskId,
        task: &Task,
        recall: &HistoryNeeds<'_>,
        to: &mut Vec<(Key, Fetch)>,
    ) {
        let past = self.tasks.get(&id);
        if recall.words && past.is_none_or(|past| past.words.is_none()) {
            let content = task.playbook;
            to.push((Key::Task("words", id), Fetch::Words { task: id, content }));
        }
        let mut add = |name, action, half, by, content| {
            let read = past.is_some_and(|past| past.parts.contains_key(&(action, half)));
            if !read {
                let fetch = Fetch::Earlier {
                    task: id,
                    action,
                    half,
                    by,
                    content,
                };
                to.push((Key::Action(name, action), fetch));
            }
        };
        for (call, need) in recalled(task, recall) {
            let StartedCall {
                action,
                args,
                args_by,
                outcome,
                ..
            } = *call;
            if need.args {
                add(
                    "earlier arguments",
                    action,
                    CallPart::Arguments,
                    args_by,
                    args,
                );
            }
            if let (true, CallOutcome::Succeeded(output)) = (need.result, outcome) {
                add(
                    "earlier result",
                    action,
                    CallPart::Result,
                    AuthorId::Runner,
                    output,
                );
            }
        }
    }

    /// Takes in the text that the owner signed.
    pub(crate) fn take_words(&mut self, task: TaskId, bytes: Option<Vec<u8>>) {
        let words = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        self.tasks.entry(task).or_default().words = Some(words);
    }

    /// Takes in one half of an earlier call.
    pub(crate) fn take(
        &mut self,
        task: TaskId,
        action: ActionId,
        half: CallPart,
        bytes: Option<Vec<u8>>,
    ) {
        let value = bytes.and_then(|bytes| match half {
            CallPart::Arguments => json::parse(&bytes, ARGUMENTS_BYTES_MAX).ok(),
            CallPart::Result => json::result(&bytes),
        });
        let past = self.tasks.entry(task).or_default();
        past.parts.insert((action, half), value);
    }

    pub(crate) fn forget(&mut self, task: &TaskId) {
        self.tasks.remove(task);
    }

    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
    }

    /// The record of a task as far as `recall` looks at it; none while something of it was not read.
    pub(crate) fn record(
        &self,
        id: TaskId,
        task: &Task,
        recall: &HistoryNeeds<'_>,
        catalogue: &Catalogue,
    ) -> Option<Record> {
        let nothing = TaskHistory::default();
        let past = self.tasks.get(&id).unwrap_or(&nothing);
        let words = if recall.words {
            past.words.clone()?
        } else {
            None
        };
        let mut record = Record::new(PRINCIPAL, words);
        record.used = task.used.clone();
        for (tool, calls) in &task.calls {
            let tool = tool.as_str();
            let of = |digest: &Digest| labels(catalogue.get(tool), digest);
            calls
                .digests
                .iter()
                .for_each(|digest| record.taint(of(digest)));
            let Some(need) = recall.tools.get(tool) else {
                record.count(tool, calls.succeeded);
                continue;
            };
            for call in &calls.each {
                past.add(&mut record, tool, of(&call.digest), call, *need)?;
            }
        }
        Some(record)
    }
}

/// The labels that a tool had when it was granted with this digest. A catalogue that has another one by now says
/// nothing of them, and so cannot lower them.
fn labels(tool: Option<&Tool>, granted: &Digest) -> Labels {
    let same = tool.filter(|tool| tool.digest() == *granted);
    same.map_or(GONE, Tool::output)
}

fn recalled<'t>(
    task: &'t Task,
    recall: &HistoryNeeds<'_>,
) -> impl Iterator<Item = (&'t StartedCall, CallParts)> {
    let tools = task.calls.iter();
    tools.flat_map(|(tool, calls)| {
        let need = recall.tools.get(tool.as_str());
        let each = need.map(|need| calls.each.iter().map(|call| (call, *need)));
        each.into_iter().flatten()
    })
}

impl TaskHistory {
    /// Adds an earlier call; none if a half that is needed was not read.
    fn add(
        &self,
        record: &mut Record,
        tool: &str,
        labels: Labels,
        call: &StartedCall,
        need: CallParts,
    ) -> Option<()> {
        let half = |half| self.parts.get(&(call.action, half));
        let args = if need.args {
            match half(CallPart::Arguments)? {
                Some(Value::Object(args)) => Some(args.clone()),
                Some(_) | None => None,
            }
        } else {
            Some(Map::new())
        };
        let known = args.is_some();
        let started = record.start(tool, args.unwrap_or_default(), labels);
        match call.outcome {
            CallOutcome::Failed => record.fail(&started),
            CallOutcome::Succeeded(_) if known => {
                let result = if need.result {
                    half(CallPart::Result)?.clone()
                } else {
                    None
                };
                record.succeed(&started, result);
            }
            // Nobody can tell any more what was called, so that no rule can, either.
            CallOutcome::Succeeded(_) | CallOutcome::Unknown => {}
        }
        Some(())
    }
}

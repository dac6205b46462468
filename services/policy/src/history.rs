//! Caches the bytes of tasks' histories that rules read, and builds a task's record from them.

use std::collections::BTreeMap;

use actor::Key;
use bus_schema::json;
use bus_schema::{ActionId, AuthorId, Content, Digest, SLOTS_BYTES_MAX, TaskId, ToolName};
use contract::{
    ARGUMENTS_BYTES_MAX, CallParts, Catalogue, HistoryNeeds, Integrity, Labels, Record, Secrecy,
    SlotValues, Tool,
};
use serde_json::{Map, Value};

use crate::fetch::{CallPart, Fetch};
use crate::state::{CallOutcome, StartedCall, Task};

/// The principal of a task that a person submitted.
const PRINCIPAL: &str = "session";
/// The labels of a result whose tool was removed from the catalogue or changed in it.
const GONE: Labels = Labels {
    integrity: Integrity::Untrusted,
    secrecy: Secrecy::Secret,
};

/// The histories of open tasks, as far as they were read.
#[derive(Debug, Default)]
pub(crate) struct HistoryCache {
    tasks: BTreeMap<TaskId, TaskHistory>,
}

/// The history of one task, as far as it was read. None inside: the bytes were erased or are unusable.
#[derive(Debug, Default)]
struct TaskHistory {
    words: Option<Option<String>>,
    /// The further words of the owner, by their number.
    said: BTreeMap<usize, Option<String>>,
    slots: Option<Option<SlotValues>>,
    body: Option<Option<Vec<u8>>>,
    parts: BTreeMap<(ActionId, CallPart), Option<Value>>,
}

impl HistoryCache {
    /// Adds the bytes that must be read before a call is judged whose rules read `needs`.
    pub(crate) fn want(
        &self,
        id: TaskId,
        task: &Task,
        needs: &HistoryNeeds<'_>,
        to: &mut Vec<(Key, Fetch)>,
    ) {
        let past = self.tasks.get(&id);
        // A refusal offers no value to a person that the owner's words do not name, so each call needs them.
        if past.is_none_or(|past| past.words.is_none()) {
            let content = task.playbook;
            let by = task.contents_by();
            let fetch = Fetch::Words {
                task: id,
                by,
                content,
            };
            to.push((Key::Task("words", id), fetch));
        }
        self.want_said(id, task, to);
        self.want_parts_of_calls(id, task, needs, to);
        self.want_slots(id, (task.slots_by(), task.slots), to);
        let mut add = |name, action, part, by, content| {
            let read = past.is_some_and(|past| past.parts.contains_key(&(action, part)));
            if !read {
                let fetch = Fetch::Earlier {
                    task: id,
                    action,
                    part,
                    by,
                    content,
                };
                to.push((Key::Action(name, action), fetch));
            }
        };
        for call in task
            .counted()
            .filter(|call| needs.rules.contains(call.rule))
        {
            let part = CallPart::Arguments;
            add(
                "counted arguments",
                call.action,
                part,
                call.args_by,
                call.args,
            );
        }
        for (_, call, need) in recalled(task, needs) {
            let StartedCall {
                action,
                args,
                args_by,
                executor,
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
                add("earlier result", action, CallPart::Result, executor, output);
            }
        }
    }

    /// Returns a read half of an earlier call. None inside: it was erased.
    pub(crate) fn earlier(
        &self,
        task: TaskId,
        action: ActionId,
        part: CallPart,
    ) -> Option<Option<&Value>> {
        let past = self.tasks.get(&task)?;
        past.parts.get(&(action, part)).map(Option::as_ref)
    }

    /// Adds the further words of the owner that must be read.
    fn want_said(&self, id: TaskId, task: &Task, to: &mut Vec<(Key, Fetch)>) {
        let past = self.tasks.get(&id);
        for (number, content) in task.said.iter().enumerate() {
            if past.is_none_or(|past| !past.said.contains_key(&number)) {
                let fetch = Fetch::Said {
                    task: id,
                    number,
                    content: *content,
                };
                to.push((Key::Digest("said", *content.digest()), fetch));
            }
        }
    }

    /// Adds the values of the slots of a task, if they must be read.
    pub(crate) fn want_slots(
        &self,
        task: TaskId,
        (by, slots): (AuthorId, Option<Content>),
        to: &mut Vec<(Key, Fetch)>,
    ) {
        let content = slots.filter(|slots| slots.len() as usize <= SLOTS_BYTES_MAX);
        let content = content.filter(|_| self.slots(task).is_none());
        let fetch = content.map(|content| Fetch::Slots { task, by, content });
        to.extend(fetch.map(|fetch| (Key::Task("slots", task), fetch)));
    }

    /// Returns the read values of the slots of a task. None inside: they were erased or are unusable.
    pub(crate) fn slots(&self, task: TaskId) -> Option<Option<&SlotValues>> {
        let past = self.tasks.get(&task)?;
        past.slots.as_ref().map(Option::as_ref)
    }

    /// Returns the read message that started a run. None inside: it was erased.
    pub(crate) fn body(&self, task: TaskId) -> Option<Option<&[u8]>> {
        let past = self.tasks.get(&task)?;
        past.body.as_ref().map(Option::as_deref)
    }

    /// Stores the message that started a run.
    pub(crate) fn take_body(&mut self, task: TaskId, bytes: Option<Vec<u8>>) {
        self.tasks.entry(task).or_default().body = Some(bytes);
    }

    /// Stores the values of the slots that the owner signed.
    pub(crate) fn take_slots(&mut self, task: TaskId, bytes: Option<Vec<u8>>) {
        let slots = bytes.and_then(|bytes| SlotValues::parse(&bytes));
        self.tasks.entry(task).or_default().slots = Some(slots);
    }

    /// Stores the text that the owner signed.
    pub(crate) fn take_words(&mut self, task: TaskId, bytes: Option<Vec<u8>>) {
        let words = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        self.tasks.entry(task).or_default().words = Some(words);
    }

    /// Stores further words that the owner signed.
    pub(crate) fn take_said(&mut self, task: TaskId, number: usize, bytes: Option<Vec<u8>>) {
        let words = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        self.tasks
            .entry(task)
            .or_default()
            .said
            .insert(number, words);
    }

    /// Stores one half of an earlier call.
    pub(crate) fn take(
        &mut self,
        task: TaskId,
        action: ActionId,
        part: CallPart,
        bytes: Option<Vec<u8>>,
    ) {
        let value = bytes.and_then(|bytes| match part {
            CallPart::Arguments => json::parse(&bytes, ARGUMENTS_BYTES_MAX).ok(),
            CallPart::Result => json::result(&bytes),
        });
        let past = self.tasks.entry(task).or_default();
        past.parts.insert((action, part), value);
    }

    pub(crate) fn forget(&mut self, task: &TaskId) {
        self.tasks.remove(task);
    }

    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
    }

    /// Returns the record of a task as far as `needs` reads it. None while part of it is unread.
    pub(crate) fn record(
        &self,
        id: TaskId,
        task: &Task,
        needs: &HistoryNeeds<'_>,
        catalogue: &Catalogue,
    ) -> Option<Record> {
        let nothing = TaskHistory::default();
        let past = self.tasks.get(&id).unwrap_or(&nothing);
        let words = past.words.clone()?;
        let principal = match &task.job {
            Some(job) => format!("job:{job}"),
            None => PRINCIPAL.to_owned(),
        };
        let mut record = Record::new(principal, words);
        for number in 0..task.said.len() {
            record.say(past.said.get(&number)?.as_deref());
        }
        if task.slots.is_some() {
            record.fill(past.slots.clone()?);
        }
        if task.of_message {
            record.distrust_slots();
        }
        record.used = task.used.clone();
        for call in task
            .counted()
            .filter(|call| needs.rules.contains(call.rule))
        {
            record.take(call.rule, self.arguments_of(id, task, call, catalogue)?);
        }
        for (name, calls) in &task.calls {
            let tool = name.as_str();
            let of = |digest: &Digest| granted(catalogue.get(tool), digest);
            calls
                .digests
                .iter()
                .for_each(|digest| record.taint(tool, of(digest).map_or(GONE, Tool::output)));
            let Some(need) = needs.tools.get(tool) else {
                record.count(tool, calls.succeeded);
                continue;
            };
            for call in &calls.each {
                let args = if need.args {
                    self.arguments_of(id, task, call.of(name), catalogue)?
                } else {
                    Some(Map::new())
                };
                let call = (call, args);
                past.add(&mut record, tool, of(&call.0.digest), call, *need)?;
            }
        }
        Some(record)
    }
}

/// Returns the tool as it was granted with this digest. A catalogue that now has another version of the tool cannot tell
/// the labels that it had, so it cannot lower them.
pub(crate) fn granted<'c>(tool: Option<&'c Tool>, digest: &Digest) -> Option<&'c Tool> {
    tool.filter(|tool| tool.digest() == *digest)
}

pub(crate) fn recalled<'t>(
    task: &'t Task,
    needs: &HistoryNeeds<'_>,
) -> impl Iterator<Item = (&'t ToolName, &'t StartedCall, CallParts)> {
    let tools = task.calls.iter();
    tools.flat_map(|(tool, calls)| {
        let need = needs.tools.get(tool.as_str());
        let each = need.map(|need| calls.each.iter().map(move |call| (tool, call, *need)));
        each.into_iter().flatten()
    })
}

impl TaskHistory {
    /// Adds an earlier call. None if a required half is unread.
    fn add(
        &self,
        record: &mut Record,
        tool: &str,
        granted: Option<&Tool>,
        (call, args): (&StartedCall, Option<Map<String, Value>>),
        need: CallParts,
    ) -> Option<()> {
        let known = args.is_some();
        let args = args.unwrap_or_default();
        let started = match granted {
            Some(granted) => {
                record.start_labelled(tool, args, (granted.output_labels(), call.determined))
            }
            None => record.start(tool, args, (GONE, call.determined)),
        };
        match call.outcome {
            CallOutcome::Failed => record.fail(&started),
            CallOutcome::Succeeded(_) if known => {
                let result = if need.result {
                    // A result that breaks the schema of its tool is no evidence.
                    let result = self.parts.get(&(call.action, CallPart::Result))?.clone();
                    result.filter(|result| granted.is_none_or(|tool| tool.takes_result(result)))
                } else {
                    None
                };
                record.succeed(&started, result);
            }
            // Its arguments or its outcome are unknown, so rules cannot judge it.
            CallOutcome::Succeeded(_) | CallOutcome::Unknown => {}
        }
        Some(())
    }
}

//! Simulates a task: keeps its record and its outputs, and answers for policy and runner.

use bus_schema::{ActionId, Time};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use worker::{Around, Fact, Outcome, Playbook, Progress, StepRef, Todo, ready};

/// The end of a proposed action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Refused,
    Succeeded,
    Failed,
    Lapsed,
    Unknown,
}

/// A task with its record and outputs.
pub(crate) struct Run {
    pub(crate) playbook: Playbook,
    pub(crate) progress: Progress,
    pub(crate) outputs: BTreeMap<StepRef, Vec<u8>>,
    pub(crate) fetched: BTreeSet<StepRef>,
    pub(crate) history: Vec<Fact>,
    pub(crate) proposed: Vec<(StepRef, u8, ActionId, String)>,
    pub(crate) summary: Option<String>,
    /// Bus time, which moves only as far as the task waits.
    pub(crate) now: Time,
    pub(crate) since: Time,
    pub(crate) waits: Vec<u64>,
}

impl Run {
    pub(crate) fn new(text: &str) -> Self {
        let playbook = Playbook::parse("test.toml", text).unwrap_or_else(|e| panic!("{e}"));
        Self {
            playbook,
            progress: Progress::default(),
            outputs: BTreeMap::new(),
            fetched: BTreeSet::new(),
            history: Vec::new(),
            proposed: Vec::new(),
            summary: None,
            now: Time::default(),
            since: Time::default(),
            waits: Vec::new(),
        }
    }

    /// Returns the next todos, given the fetched outputs.
    pub(crate) fn todos(&self) -> Vec<Todo> {
        let around = Around {
            slots: &Value::Null,
            now: self.now,
            since: self.since,
        };
        ready(&self.playbook, &self.progress, around, &|at| {
            let known = self.fetched.contains(&at).then(|| self.outputs.get(&at));
            known.flatten().map(Vec::as_slice)
        })
    }

    pub(crate) fn fold(&mut self, fact: Fact) {
        self.progress.fold(fact).unwrap();
        self.history.push(fact);
    }

    /// Fetches the needed outputs, then folds all proposals; returns their actions, or the outcome.
    pub(crate) fn advance(&mut self) -> Result<Vec<ActionId>, Outcome> {
        let mut actions = Vec::new();
        loop {
            let todos = self.todos();
            let mut fetching = false;
            for todo in todos {
                match todo {
                    Todo::NeedOutput { at } => {
                        assert!(self.fetched.insert(at), "{at:?} was fetched before");
                        assert!(self.outputs.contains_key(&at), "{at:?} has no output");
                        fetching = true;
                    }
                    Todo::Finish { outcome, summary } => {
                        self.summary = summary;
                        return Err(outcome);
                    }
                    Todo::Wait { until } => {
                        self.waits.push(until.ms_since(self.now));
                        self.now = until;
                        fetching = true;
                    }
                    Todo::Propose {
                        at,
                        items,
                        attempt,
                        args,
                        ..
                    } => {
                        let n = self.history.len();
                        let action: ActionId =
                            format!("00000000-0000-7000-8000-{n:012x}").parse().unwrap();
                        let args = String::from_utf8(args).unwrap();
                        self.proposed.push((at, attempt, action, args));
                        self.fold(Fact::Proposed {
                            action,
                            at,
                            items,
                            attempt,
                        });
                        actions.push(action);
                    }
                }
            }
            if !fetching {
                return Ok(actions);
            }
        }
    }

    pub(crate) fn settle(&mut self, action: ActionId, end: End, output: &[u8]) {
        self.since = self.now;
        if end == End::Refused {
            return self.fold(Fact::Refused { action });
        }
        self.fold(Fact::Granted { action });
        match end {
            End::Succeeded => {
                let at = self.progress.place(action).unwrap();
                self.outputs.insert(at, output.into());
                self.fold(Fact::Succeeded { action });
            }
            End::Failed => self.fold(Fact::Failed { action }),
            End::Lapsed => self.fold(Fact::Lapsed { action }),
            End::Unknown | End::Refused => self.fold(Fact::Unknown { action }),
        }
    }

    /// Runs to the end; `answer` gives the end of each action by place and attempt.
    pub(crate) fn finish(&mut self, answer: impl Fn(StepRef, u8) -> (End, Vec<u8>)) -> Outcome {
        loop {
            let actions = match self.advance() {
                Ok(actions) => actions,
                Err(outcome) => return outcome,
            };
            assert!(!actions.is_empty(), "the task waits for nothing");
            for action in actions {
                let (at, attempt, _) = self.place(action);
                let (end, output) = answer(at, attempt);
                self.settle(action, end, &output);
            }
        }
    }

    /// Returns the outcome as a sentence, if step `n` returns `outputs[n]` and everything succeeds.
    pub(crate) fn sentence(&mut self, outputs: &[&str]) -> String {
        let outcome = self.finish(|at, _| {
            let output = outputs.get(usize::from(at.step)).copied();
            (End::Succeeded, output.unwrap_or("{}").as_bytes().into())
        });
        outcome.sentence(&self.playbook)
    }

    pub(crate) fn args_of(&self, step: u16, item: u16) -> &str {
        let found = self.proposed.iter().find(|p| p.0 == StepRef { step, item });
        &found.unwrap().3
    }

    fn place(&self, action: ActionId) -> (StepRef, u8, ActionId) {
        let found = self.proposed.iter().find(|p| p.2 == action).unwrap();
        (found.0, found.1, found.2)
    }
}

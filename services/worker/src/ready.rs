//! Decides the next todos of a task from its playbook and its progress.

use bus_schema::ToolName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

use crate::limits::ATTEMPTS_MAX;
use crate::outcome::{Exceptions, Outcome, Reason};
use crate::playbook::{OnRefusal, Otherwise, Playbook, Step};
use crate::progress::{Attempt, Progress, State, StepRef};
use crate::resolve::{Miss, Past, Resolver, Scope};

/// Largest number of open actions of a parallel step.
pub const IN_FLIGHT_MAX: usize = 16;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Todo {
    /// Propose an action, and record it with the same `at`, `items` and `attempt`.
    Propose {
        /// The item that it serves.
        at: StepRef,
        /// The number of items of the step.
        items: u16,
        /// The attempt, counted from 1.
        attempt: u8,
        /// The tool to use.
        tool: ToolName,
        /// The arguments: RFC 8785 JSON, at most [`ARGS_BYTES_MAX`](crate::ARGS_BYTES_MAX) bytes.
        args: Vec<u8>,
    },
    /// Fetch the output of this item and ask again with it; if it was erased, fold
    /// [`Fact::Erased`](crate::Fact::Erased) and ask again.
    NeedOutput {
        /// The item whose output is needed.
        at: StepRef,
    },
    /// Finish the task; none of its actions is open.
    Finish {
        /// The outcome.
        outcome: Outcome,
    },
}

/// Returns the next todos. They are empty while the task can only wait for the record.
///
/// `slots` has the values of the slots of the task by name; null if it has none. `outputs` gives the bytes of a successful outcome, `None` while they are not fetched. The same
/// arguments give the same answer, for every input. What is proposed here and then folded is
/// never proposed again, and a finish is given only when no action is open.
#[must_use]
pub fn ready<'o>(
    playbook: &Playbook,
    progress: &Progress,
    slots: &Value,
    outputs: &dyn Fn(StepRef) -> Option<&'o [u8]>,
) -> Vec<Todo> {
    let mut past = Vec::new();
    let mut exceptions = Vec::new();
    let mut resolver = Resolver::new(progress, slots, outputs);
    for (position, step) in (0_u16..).zip(playbook.steps()) {
        let mut turn = Turn {
            step,
            position,
            progress,
            past: &past,
            resolver: &mut resolver,
            exceptions: Exceptions {
                step: position,
                ..Exceptions::default()
            },
        };
        match turn.take() {
            Verdict::Done(left) => {
                let passed_over = turn.exceptions;
                past.push(left);
                exceptions.extend((!passed_over.is_empty()).then_some(passed_over));
            }
            Verdict::Now(todos) => return todos,
            Verdict::Stop(outcome) => return vec![Todo::Finish { outcome }],
        }
    }
    let outcome = if exceptions.is_empty() {
        Outcome::Succeeded
    } else {
        Outcome::SucceededWithExceptions { exceptions }
    };
    vec![Todo::Finish { outcome }]
}

/// The verdict on one step.
enum Verdict {
    /// The step has ended and the next one may start.
    Done(Past),
    /// Do these, or wait if there are none.
    Now(Vec<Todo>),
    /// The task ends.
    Stop(Outcome),
}

/// The record of a step's items.
#[derive(Default)]
struct Scan {
    open: usize,
    /// The first item that stops the task.
    stop: Option<Outcome>,
    /// Items that need an attempt, in order.
    wanted: Vec<(u16, u8)>,
    succeeded: Vec<StepRef>,
}

/// The reaction to an item whose latest attempt is settled without success.
enum After {
    Stop(Reason),
    Continue,
    Retry,
}

struct Turn<'t, 'a, 'o> {
    step: &'t Step,
    position: u16,
    progress: &'a Progress,
    past: &'t [Past],
    resolver: &'t mut Resolver<'a, 'o>,
    exceptions: Exceptions,
}

impl Turn<'_, '_, '_> {
    fn take(&mut self) -> Verdict {
        let mut list = None;
        let items = match (self.step.for_each(), self.progress.step(self.position)) {
            (None, _) => 1,
            (Some(_), Some(known)) => known.items,
            (Some(_), None) => match self.list() {
                Ok(values) => {
                    let items = u16::try_from(values.len()).unwrap_or(u16::MAX);
                    list = Some(values);
                    items
                }
                Err(miss) => return self.without_list(miss),
            },
        };
        let mut scan = self.scan(items);
        if scan.stop.is_none() && !scan.wanted.is_empty() {
            match self.propose(items, list, &mut scan) {
                Ok(todos) if !todos.is_empty() => return Verdict::Now(todos),
                Ok(_) => {}
                Err(outcome) => scan.stop = Some(outcome),
            }
        }
        match scan.stop {
            _ if scan.open > 0 => Verdict::Now(Vec::new()),
            Some(outcome) => Verdict::Stop(outcome),
            None => Verdict::Done(self.left(scan.succeeded)),
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, Miss> {
        match self.step.for_each() {
            Some(reference) => self.resolver.list(reference, self.past),
            None => Ok(Vec::new()),
        }
    }

    fn without_list(&mut self, miss: Miss) -> Verdict {
        let at = self.at(0);
        match miss {
            Miss::Need(need) => Verdict::Now(fetch(&need)),
            Miss::Erased(of) => Verdict::Stop(Outcome::Erased { at, of }),
            Miss::Wrong(_) if self.step.on_failure() == Otherwise::Continue => {
                self.exceptions.unresolved += 1;
                let why = format!("step `{}` had no list to work on", self.step.id());
                Verdict::Done(Past::Nothing(why))
            }
            Miss::Wrong(reason) => Verdict::Stop(Outcome::Failed { at, reason }),
        }
    }

    fn scan(&mut self, items: u16) -> Scan {
        let passed = self.progress.last_step() > Some(self.position);
        let mut scan = Scan::default();
        for item in 0..items {
            let at = self.at(item);
            let Some(latest) = self.progress.attempt(at) else {
                if passed {
                    self.exceptions.unresolved += 1;
                } else {
                    scan.wanted.push((item, 1));
                }
                continue;
            };
            if !latest.state.is_settled() {
                scan.open += 1;
                continue;
            }
            match self.after(latest) {
                None => scan.succeeded.push(at),
                Some(After::Continue) => self.count(latest.state),
                Some(After::Retry) => scan.wanted.push((item, latest.attempt.saturating_add(1))),
                Some(After::Stop(reason)) => {
                    scan.stop = scan.stop.or(Some(Outcome::Failed { at, reason }));
                }
            }
        }
        scan
    }

    /// Returns the reaction to an attempt. `None`: it succeeded or is open.
    fn after(&self, latest: &Attempt) -> Option<After> {
        let attempts = latest.attempt;
        let (otherwise, reason) = match latest.state {
            State::Proposed | State::Asked | State::Granted | State::Succeeded => return None,
            State::Refused => {
                return Some(match self.step.on_refusal() {
                    OnRefusal::Stop => After::Stop(Reason::Refused),
                    OnRefusal::Continue => After::Continue,
                });
            }
            // A lapsed action did not happen, so a new proposal repeats nothing, even under `on_failure = "stop"`.
            State::Lapsed if attempts < ATTEMPTS_MAX => return Some(After::Retry),
            State::Lapsed => (self.step.on_failure(), Reason::Lapsed { attempts }),
            State::Failed => (self.step.on_failure(), Reason::Failed { attempts }),
            State::Unknown => (self.step.on_unknown(), Reason::Unknown { attempts }),
        };
        Some(match otherwise {
            Otherwise::Stop => After::Stop(reason),
            Otherwise::Continue => After::Continue,
            Otherwise::Retry(times) if attempts <= times => After::Retry,
            Otherwise::Retry(_) => After::Stop(reason),
        })
    }

    fn count(&mut self, state: State) {
        match state {
            State::Refused => self.exceptions.refused += 1,
            State::Failed | State::Lapsed => self.exceptions.failed += 1,
            State::Unknown => self.exceptions.unknown += 1,
            State::Proposed | State::Asked | State::Granted | State::Succeeded => {}
        }
    }

    /// Proposes as many attempts as may be open. All items of a step refer to the same outputs, so while
    /// one of these must be fetched, only fetches are returned: the decision never depends on which
    /// outputs happen to be in memory.
    fn propose(
        &mut self,
        items: u16,
        list: Option<Vec<Value>>,
        scan: &mut Scan,
    ) -> Result<Vec<Todo>, Outcome> {
        let room = if self.step.is_parallel() {
            IN_FLIGHT_MAX
        } else {
            1
        };
        let room = room.saturating_sub(scan.open);
        if room == 0 {
            return Ok(Vec::new());
        }
        let list = match list.map_or_else(|| self.list(), Ok) {
            Ok(list) => list,
            Err(miss) => return self.cannot(0, miss),
        };
        let mut todos = Vec::new();
        for &(item, attempt) in &scan.wanted {
            if todos.len() >= room {
                break;
            }
            let scope = Scope {
                past: self.past,
                item: list.get(usize::from(item)),
            };
            match self.resolver.args(self.step.args(), scope) {
                Ok(args) => todos.push(Todo::Propose {
                    at: self.at(item),
                    items,
                    attempt,
                    tool: self.step.tool().clone(),
                    args,
                }),
                Err(miss) => {
                    let fetches = self.cannot(item, miss)?;
                    if !fetches.is_empty() {
                        return Ok(fetches);
                    }
                }
            }
        }
        Ok(todos)
    }

    /// Passes over an item whose arguments cannot be built, or returns the fetches for it, or the
    /// outcome with which it ends the task.
    fn cannot(&mut self, item: u16, miss: Miss) -> Result<Vec<Todo>, Outcome> {
        let at = self.at(item);
        match miss {
            Miss::Need(need) => Ok(fetch(&need)),
            Miss::Erased(of) => Err(Outcome::Erased { at, of }),
            Miss::Wrong(_) if self.step.on_failure() == Otherwise::Continue => {
                self.exceptions.unresolved = self.exceptions.unresolved.saturating_add(1);
                Ok(Vec::new())
            }
            Miss::Wrong(reason) => Err(Outcome::Failed { at, reason }),
        }
    }

    fn left(&self, succeeded: Vec<StepRef>) -> Past {
        if self.step.is_for_each() {
            return Past::List(succeeded);
        }
        match succeeded.first() {
            Some(&at) => Past::One(at),
            None => {
                let state = self.progress.attempt(self.at(0)).map(|latest| latest.state);
                let what = match state {
                    Some(State::Refused) => "was refused",
                    Some(State::Failed) => "failed",
                    Some(State::Lapsed) => "was not claimed in time",
                    Some(State::Unknown) => "may or may not have happened",
                    Some(State::Proposed | State::Asked | State::Granted | State::Succeeded)
                    | None => "was never proposed",
                };
                Past::Nothing(format!(
                    "step `{}` {what} and has no output",
                    self.step.id()
                ))
            }
        }
    }

    fn at(&self, item: u16) -> StepRef {
        StepRef {
            step: self.position,
            item,
        }
    }
}

fn fetch(need: &BTreeSet<StepRef>) -> Vec<Todo> {
    need.iter().map(|&at| Todo::NeedOutput { at }).collect()
}

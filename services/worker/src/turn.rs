//! Decides one step of a task in its turn.

use bus_schema::Time;
use job::{duration_ms, moment};
use serde_json::Value;
use std::collections::BTreeSet;

use crate::limits::ATTEMPTS_MAX;
use crate::outcome::{Exceptions, Outcome, Reason};
use crate::playbook::{
    Condition, Items, OnRefusal, Otherwise, Step, WAIT_MS_MAX, WAIT_MS_MIN, Work,
};
use crate::progress::{Attempt, Progress, State, StepRef};
use crate::reference::Piece;
use crate::resolve::{Miss, Past, Resolver, Scope};
use crate::todo::Todo;

/// Largest number of open actions of a parallel step.
pub const IN_FLIGHT_MAX: usize = 16;

/// The verdict on one step.
pub(crate) enum Verdict {
    /// The step has ended and the next one may start.
    Done(Past),
    /// The same, and the steps under its `otherwise` may start: it was refused or failed.
    Otherwise(Past),
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
    /// True if the condition of a repetition is met.
    met: bool,
}

/// The reaction to an item whose latest attempt is settled without success.
pub(crate) enum After {
    Stop(Reason),
    Continue,
    Retry,
}

/// One step in its turn, after all steps before it have ended.
pub(crate) struct Turn<'t, 'a, 'o> {
    pub(crate) step: &'t Step,
    pub(crate) position: u16,
    /// The last of the steps that run beside it.
    pub(crate) last: u16,
    pub(crate) progress: &'a Progress,
    pub(crate) past: &'t [Past],
    pub(crate) resolver: &'t mut Resolver<'a, 'o>,
    pub(crate) now: Time,
    /// The moment at which the step before it ended, as far as its record says.
    pub(crate) since: Time,
    pub(crate) exceptions: Exceptions,
}

impl Turn<'_, '_, '_> {
    pub(crate) fn take(&mut self) -> Verdict {
        let recorded = self.progress.step(self.position).map(|step| step.items);
        if recorded.is_none() {
            match self.skips() {
                Ok(None) => {}
                Ok(Some(why)) => return Verdict::Done(Past::Nothing(why)),
                Err(miss) => return self.lacks(miss),
            }
        }
        if let Work::Wait(pieces) = self.step.work() {
            return self.wait(pieces);
        }
        let mut list = None;
        let items = match (self.step.items(), recorded) {
            (Items::One, _) => 1,
            (_, Some(known)) => known,
            (items, None) => match self.resolver.items(items, self.past) {
                Ok(values) => {
                    let items = u16::try_from(values.len()).unwrap_or(u16::MAX);
                    list = Some(values);
                    items
                }
                Err(miss) => return self.lacks(miss),
            },
        };
        let mut scan = self.scan(items);
        if let Some(until) = self.step.until() {
            match self.ends(until, items, &mut scan) {
                Ok(()) => {}
                Err(miss) => return self.lacks(miss),
            }
        }
        if scan.stop.is_none() && !scan.wanted.is_empty() {
            match self.propose(items, list, &mut scan) {
                Ok(todos) if !todos.is_empty() => return Verdict::Now(todos),
                Ok(_) => {}
                Err(outcome) => scan.stop = Some(outcome),
            }
        }
        match scan.stop {
            _ if scan.open > 0 => Verdict::Now(Vec::new()),
            Some(outcome) => self.stop(outcome),
            None => Verdict::Done(self.left(scan)),
        }
    }

    /// Returns the reason for which its conditions leave it out.
    fn skips(&mut self) -> Result<Option<String>, Miss> {
        for (condition, wanted, word) in [
            (self.step.when(), true, "if"),
            (self.step.unless(), false, "unless"),
        ] {
            let Some(condition) = condition else {
                continue;
            };
            if self.resolver.holds(condition, self.past)? != wanted {
                let id = self.step.id();
                return Ok(Some(format!(
                    "step `{id}` did not run, because of its `{word}`"
                )));
            }
        }
        Ok(None)
    }

    /// Waits from the end of the step before it. It is over for good once a later step has a record.
    fn wait(&mut self, pieces: &[Piece]) -> Verdict {
        let over = Verdict::Done(Past::Nothing("the step only waits".into()));
        if self.is_passed() {
            return over;
        }
        let text = match self.resolver.filled(pieces, self.past) {
            Ok(text) => text,
            Err(miss) => return self.lacks(miss),
        };
        let latest = self.since.plus_ms(WAIT_MS_MAX);
        let until = match duration_ms(&text).filter(|ms| *ms >= WAIT_MS_MIN) {
            Some(ms) => Some(self.since.plus_ms(ms)),
            None => moment(&text),
        };
        let Some(until) = until.filter(|until| *until <= latest) else {
            let reason = Reason::Wait {
                text: text.chars().take(40).collect(),
            };
            return self.wrong(reason);
        };
        if self.now < until {
            return Verdict::Now(vec![Todo::Wait { until }]);
        }
        self.since = self.since.max(until);
        over
    }

    /// Decides by the result of the last time if a repetition has ended.
    fn ends(&mut self, until: &Condition, items: u16, scan: &mut Scan) -> Result<(), Miss> {
        let Some(&last) = scan.succeeded.last() else {
            return Ok(());
        };
        let is_last = scan
            .wanted
            .first()
            .is_none_or(|(item, _)| *item > last.item);
        if scan.open > 0 || scan.stop.is_some() || !is_last {
            return Ok(());
        }
        let mut past = self.past.to_vec();
        past.push(Past::One(last));
        if self.resolver.holds(until, &past)? {
            scan.wanted.clear();
            scan.met = true;
        } else if scan.wanted.is_empty() {
            let reason = Reason::Never { times: items };
            scan.stop = Some(Outcome::Failed { at: last, reason });
        }
        Ok(())
    }

    /// Ends the step without the value that it needs.
    fn lacks(&mut self, miss: Miss) -> Verdict {
        let at = self.at(0);
        match miss {
            Miss::Need(need) => Verdict::Now(fetch(&need)),
            Miss::Erased(of) => Verdict::Stop(Outcome::Erased { at, of }),
            Miss::Wrong(reason) => self.wrong(reason),
        }
    }

    /// Ends a step that fails before it has any action.
    fn wrong(&mut self, reason: Reason) -> Verdict {
        if self.step.on_failure() == Otherwise::Continue {
            self.exceptions.unresolved += 1;
            return Verdict::Done(without_value(self.step));
        }
        let at = self.at(0);
        self.stop(Outcome::Failed { at, reason })
    }

    /// Ends the task, or takes the branch of the step.
    fn stop(&mut self, outcome: Outcome) -> Verdict {
        let Outcome::Failed { reason, .. } = &outcome else {
            return Verdict::Stop(outcome);
        };
        if self.step.branches().is_empty() {
            return Verdict::Stop(outcome);
        }
        match reason {
            // It may have happened, so nothing is done in its place.
            Reason::Unknown { .. } => return Verdict::Stop(outcome),
            Reason::Refused => self.exceptions.refused += 1,
            Reason::Failed { .. } | Reason::Lapsed { .. } | Reason::Never { .. } => {
                self.exceptions.failed += 1;
            }
            Reason::Unresolved { .. } | Reason::Args { .. } | Reason::Wait { .. } => {
                self.exceptions.unresolved += 1;
            }
        }
        self.exceptions.otherwise = true;
        let why = format!("step `{}` was refused or failed", self.step.id());
        Verdict::Otherwise(Past::Nothing(why))
    }

    /// Returns true if a later step than those beside it has a record, so this one has ended.
    fn is_passed(&self) -> bool {
        self.progress.last_step() > Some(self.last)
    }

    fn scan(&mut self, items: u16) -> Scan {
        let is_passed = self.is_passed();
        let has_until = self.step.until().is_some();
        // Only its branch leads past an item that was never proposed.
        let has_branch =
            !self.step.branches().is_empty() && self.step.on_failure() != Otherwise::Continue;
        let mut scan = Scan::default();
        for item in 0..items {
            let at = self.at(item);
            let Some(latest) = self.progress.attempt(at) else {
                if !is_passed {
                    scan.wanted.push((item, 1));
                } else if has_until {
                } else if has_branch {
                    let reason = Reason::Args {
                        problem: String::new(),
                    };
                    scan.stop = scan.stop.or(Some(Outcome::Failed { at, reason }));
                } else {
                    self.exceptions.unresolved += 1;
                }
                continue;
            };
            if !latest.state.is_settled() {
                scan.open += 1;
                continue;
            }
            match after(self.step, latest) {
                None => scan.succeeded.push(at),
                Some(After::Continue) => self.exceptions.count(latest.state),
                Some(After::Retry) => scan.wanted.push((item, latest.attempt.saturating_add(1))),
                Some(After::Stop(reason)) => {
                    scan.stop = scan.stop.or(Some(Outcome::Failed { at, reason }));
                }
            }
        }
        scan
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
        if let Some(until) = self.pause(scan) {
            return Ok(vec![Todo::Wait { until }]);
        }
        let items_of = self.step.items();
        let list = match list.map_or_else(|| self.resolver.items(items_of, self.past), Ok) {
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
            let Work::Call { tool, args } = self.step.work() else {
                break;
            };
            match self.resolver.args(args, scope) {
                Ok(args) => todos.push(Todo::Propose {
                    at: self.at(item),
                    items,
                    attempt,
                    tool: tool.clone(),
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

    /// Returns the end of the pause before the next time of a repetition, if it is not over.
    fn pause(&self, scan: &Scan) -> Option<Time> {
        let Items::Times { pause_ms, .. } = self.step.items() else {
            return None;
        };
        let &(item, attempt) = scan.wanted.first()?;
        let until = self.since.plus_ms(*pause_ms);
        (item > 0 && attempt == 1 && self.now < until).then_some(until)
    }

    fn left(&self, scan: Scan) -> Past {
        let id = self.step.id();
        match (self.step.until(), self.step.items()) {
            (Some(_), _) => match scan.succeeded.last() {
                Some(&last) if scan.met => Past::One(last),
                Some(_) | None => Past::Nothing(format!("step `{id}` never came to its `until`")),
            },
            (None, Items::Each { .. } | Items::Times { .. }) => Past::List(scan.succeeded),
            (None, Items::One) => match scan.succeeded.first() {
                Some(&at) => Past::One(at),
                None => without_output(self.step, self.progress.attempt(self.at(0))),
            },
        }
    }

    fn at(&self, item: u16) -> StepRef {
        StepRef {
            step: self.position,
            item,
        }
    }
}

/// Returns the reaction to an attempt. `None`: it succeeded or is open.
pub(crate) fn after(step: &Step, latest: &Attempt) -> Option<After> {
    let attempts = latest.attempt;
    let (otherwise, reason) = match latest.state {
        State::Proposed | State::Asked | State::Granted | State::Succeeded => return None,
        State::Refused => {
            return Some(match step.on_refusal() {
                OnRefusal::Stop => After::Stop(Reason::Refused),
                OnRefusal::Continue => After::Continue,
            });
        }
        // A lapsed action did not happen, so a new proposal repeats nothing, even under `on_failure = "stop"`.
        State::Lapsed if attempts < ATTEMPTS_MAX => return Some(After::Retry),
        State::Lapsed => (step.on_failure(), Reason::Lapsed { attempts }),
        State::Failed => (step.on_failure(), Reason::Failed { attempts }),
        State::Unknown => (step.on_unknown(), Reason::Unknown { attempts }),
    };
    Some(match otherwise {
        Otherwise::Stop => After::Stop(reason),
        Otherwise::Continue => After::Continue,
        Otherwise::Retry(times) if attempts <= times => After::Retry,
        Otherwise::Retry(_) => After::Stop(reason),
    })
}

/// The end of a step without success, as the continuation of a sentence.
fn ended(latest: Option<&Attempt>) -> &'static str {
    match latest.map(|latest| latest.state) {
        Some(State::Refused) => "was refused",
        Some(State::Failed) => "failed",
        Some(State::Lapsed) => "was not claimed in time",
        Some(State::Unknown) => "may or may not have happened",
        Some(State::Proposed | State::Asked | State::Granted | State::Succeeded) | None => {
            "was never proposed"
        }
    }
}

/// The result of a step that ended without success.
pub(crate) fn without_output(step: &Step, latest: Option<&Attempt>) -> Past {
    let (id, ended) = (step.id(), ended(latest));
    Past::Nothing(format!("step `{id}` {ended} and has no output"))
}

/// The result of a step whose arguments could not be made.
pub(crate) fn without_value(step: &Step) -> Past {
    Past::Nothing(format!("step `{}` had no value to work on", step.id()))
}

pub(crate) fn fetch(need: &BTreeSet<StepRef>) -> Vec<Todo> {
    need.iter().map(|&at| Todo::NeedOutput { at }).collect()
}

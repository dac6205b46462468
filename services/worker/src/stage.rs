//! Decides steps in the order of the playbook: each alone, beside others, or repeated with others.

use bus_schema::Time;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::outcome::{Exceptions, Outcome, Reason};
use crate::playbook::{Condition, Items, Otherwise, Playbook, Step, Work};
use crate::progress::{Progress, StepRef};
use crate::resolve::{Miss, Past, Resolver, Scope};
use crate::todo::Todo;
use crate::turn::{
    After, IN_FLIGHT_MAX, Turn, Verdict, after, fetch, without_output, without_value,
};

/// The decision of a task, as far as it has come.
pub(crate) struct Stage<'t, 'a, 'o> {
    pub(crate) playbook: &'t Playbook,
    pub(crate) progress: &'a Progress,
    pub(crate) resolver: &'t mut Resolver<'a, 'o>,
    pub(crate) now: Time,
    /// The moment at which the last step ended, as far as its record says.
    pub(crate) since: Time,
    /// The outputs of the steps before.
    pub(crate) past: Vec<Past>,
    /// The steps that passed over something.
    pub(crate) exceptions: Vec<Exceptions>,
    /// The steps to which another one went.
    pub(crate) branches: BTreeSet<u16>,
}

/// The things to do now, if the steps have not ended.
type Flow<T> = ControlFlow<Vec<Todo>, T>;

fn finish(outcome: Outcome) -> Vec<Todo> {
    let summary = None;
    vec![Todo::Finish { outcome, summary }]
}

impl Stage<'_, '_, '_> {
    /// Decides all steps.
    pub(crate) fn run(&mut self) -> Flow<()> {
        let mut first = 0;
        while let Some(step) = self.playbook.step(first) {
            let last = self.playbook.together(first);
            if step.block().is_some() {
                self.block(first, last)?;
            } else {
                self.beside(first, last)?;
            }
            first = last.saturating_add(1);
        }
        ControlFlow::Continue(())
    }

    /// Decides steps that run beside one another; usually it is one.
    fn beside(&mut self, first: u16, last: u16) -> Flow<()> {
        let (mut lefts, mut todos) = (Vec::new(), Vec::new());
        let (mut stop, mut goes_on) = (None, false);
        for position in first..=last {
            let Some(step) = self.playbook.step(position) else {
                break;
            };
            match self.turn((position, last), step) {
                (Verdict::Done(left), passed_over) => lefts.push((left, passed_over)),
                (Verdict::Otherwise(left), passed_over) => {
                    self.branches.extend(step.branches());
                    lefts.push((left, passed_over));
                }
                (Verdict::Now(more), _) => {
                    goes_on = true;
                    todos.extend(more);
                }
                (Verdict::Stop(outcome), _) => stop = stop.or(Some(outcome)),
            }
        }
        let open: usize = (first..=last).map(|at| self.progress.open(at)).sum();
        if let Some(outcome) = stop {
            // Nothing more begins, and the task ends once nothing of it is open.
            return ControlFlow::Break(if open > 0 {
                Vec::new()
            } else {
                finish(outcome)
            });
        }
        if goes_on {
            return ControlFlow::Break(in_order(todos, IN_FLIGHT_MAX.saturating_sub(open)));
        }
        for (left, passed_over) in lefts {
            self.past.push(left);
            self.exceptions
                .extend((!passed_over.is_empty()).then_some(passed_over));
        }
        ControlFlow::Continue(())
    }

    fn turn(&mut self, (position, last): (u16, u16), step: &Step) -> (Verdict, Exceptions) {
        if step.is_branch() && !self.branches.contains(&position) {
            let id = step.id();
            let why = format!("step `{id}` did not run, because nothing went to it");
            return (Verdict::Done(Past::Nothing(why)), Exceptions::of(position));
        }
        let mut turn = Turn {
            step,
            position,
            last,
            progress: self.progress,
            past: &self.past,
            resolver: self.resolver,
            now: self.now,
            since: self.since,
            exceptions: Exceptions::of(position),
        };
        let verdict = turn.take();
        self.since = turn.since;
        (verdict, turn.exceptions)
    }

    /// Decides the steps of a block, one time after the other.
    fn block(&mut self, first: u16, last: u16) -> Flow<()> {
        let steps: Vec<_> = (first..=last)
            .filter_map(|at| self.playbook.step(at))
            .collect();
        let Some(end) = steps.last().copied() else {
            return ControlFlow::Continue(());
        };
        let times = self.times((first, last), end)?;
        let pause_ms = match end.items() {
            Items::Times { pause_ms, .. } => *pause_ms,
            Items::One | Items::Each { .. } => 0,
        };
        let mut block = Block {
            first,
            times,
            latest: self.progress.latest_of((first, last)),
            is_passed: self.progress.last_step() > Some(last),
            since: self.since,
            pause_ms,
            exceptions: (first..=last).map(Exceptions::of).collect(),
            succeeded: steps.iter().map(|_| Vec::new()).collect(),
        };
        let own = self.past.len();
        let mut met = false;
        for time in 0..times {
            self.past.truncate(own);
            self.time(&mut block, &steps, time)?;
            let Some(until) = end.until() else {
                continue;
            };
            let place = StepRef {
                step: last,
                item: time,
            };
            // A later time says that it did not hold.
            let holds = match block.latest {
                Some((later, _)) if later > time => false,
                Some(_) | None => self.holds(until, place)?,
            };
            if holds {
                met = true;
                break;
            }
            if time + 1 == times {
                let reason = Reason::Never { times };
                return ControlFlow::Break(finish(Outcome::Failed { at: place, reason }));
            }
        }
        if !met {
            self.past.truncate(own);
            self.past
                .extend(block.succeeded.into_iter().map(Past::List));
        }
        let exceptions = block.exceptions.into_iter().filter(|one| !one.is_empty());
        self.exceptions.extend(exceptions);
        ControlFlow::Continue(())
    }

    /// Returns the number of times of a block.
    fn times(&mut self, (first, last): (u16, u16), end: &Step) -> Flow<u16> {
        if let Some(recorded) = self.progress.step(first) {
            return ControlFlow::Continue(recorded.items);
        }
        match self.resolver.items(end.items(), &self.past) {
            Ok(items) => ControlFlow::Continue(u16::try_from(items.len()).unwrap_or(u16::MAX)),
            Err(miss) => ControlFlow::Break(lacks(
                miss,
                StepRef {
                    step: last,
                    item: 0,
                },
            )),
        }
    }

    /// Judges the condition of a block after one time.
    fn holds(&mut self, until: &Condition, at: StepRef) -> Flow<bool> {
        match self.resolver.holds(until, &self.past) {
            Ok(holds) => ControlFlow::Continue(holds),
            Err(miss) => ControlFlow::Break(lacks(miss, at)),
        }
    }

    /// Decides one time of a block, and adds its outputs.
    fn time(&mut self, block: &mut Block, steps: &[&Step], item: u16) -> Flow<()> {
        for (offset, step) in (0_u16..).zip(steps) {
            let at = StepRef {
                step: block.first + offset,
                item,
            };
            let left = self.attempt(block, (step, at))?;
            if let (Past::One(at), Some(list)) =
                (&left, block.succeeded.get_mut(usize::from(offset)))
            {
                list.push(*at);
            }
            self.past.push(left);
        }
        ControlFlow::Continue(())
    }

    /// Decides one step of one time.
    fn attempt(&mut self, block: &mut Block, (step, at): (&Step, StepRef)) -> Flow<Past> {
        let is_before = block.is_before(at);
        let passed_over = block.exceptions.get_mut(usize::from(at.step - block.first));
        let latest = self.progress.attempt(at);
        let attempt = match latest {
            None if is_before => {
                passed_over.into_iter().for_each(|one| one.unresolved += 1);
                return ControlFlow::Continue(without_value(step));
            }
            None => 1,
            Some(latest) if !latest.state.is_settled() => return ControlFlow::Break(Vec::new()),
            Some(latest) => match after(step, latest) {
                None => return ControlFlow::Continue(Past::One(at)),
                Some(After::Continue) => {
                    passed_over
                        .into_iter()
                        .for_each(|one| one.count(latest.state));
                    return ControlFlow::Continue(without_output(step, Some(latest)));
                }
                Some(After::Stop(reason)) => {
                    return ControlFlow::Break(finish(Outcome::Failed { at, reason }));
                }
                Some(After::Retry) => latest.attempt.saturating_add(1),
            },
        };
        let until = block.since.plus_ms(block.pause_ms);
        if at.step == block.first && at.item > 0 && attempt == 1 && self.now < until {
            return ControlFlow::Break(vec![Todo::Wait { until }]);
        }
        let Work::Call { tool, args } = step.work() else {
            return ControlFlow::Continue(without_value(step));
        };
        let number = Value::from(at.item + 1);
        let scope = Scope {
            past: &self.past,
            item: Some(&number),
        };
        match self.resolver.args(args, scope) {
            Ok(args) => ControlFlow::Break(vec![Todo::Propose {
                at,
                items: block.times,
                attempt,
                tool: tool.clone(),
                args,
            }]),
            Err(Miss::Wrong(_)) if step.on_failure() == Otherwise::Continue => {
                passed_over.into_iter().for_each(|one| one.unresolved += 1);
                ControlFlow::Continue(without_value(step))
            }
            Err(miss) => ControlFlow::Break(lacks(miss, at)),
        }
    }
}

/// A block in its turn.
struct Block {
    first: u16,
    times: u16,
    /// The time and the step of its last proposal.
    latest: Option<(u16, u16)>,
    /// True if a later step has a record, so it has ended.
    is_passed: bool,
    since: Time,
    pause_ms: u64,
    /// By its steps.
    exceptions: Vec<Exceptions>,
    succeeded: Vec<Vec<StepRef>>,
}

impl Block {
    /// Returns true if a later place has a record, so this one was passed over.
    fn is_before(&self, at: StepRef) -> bool {
        self.is_passed || self.latest > Some((at.item, at.step))
    }
}

/// Returns the fetches for a missing value, or the end of the task.
fn lacks(miss: Miss, at: StepRef) -> Vec<Todo> {
    match miss {
        Miss::Need(need) => fetch(&need),
        Miss::Erased(of) => finish(Outcome::Erased { at, of }),
        Miss::Wrong(reason) => finish(Outcome::Failed { at, reason }),
    }
}

/// Returns fetches alone while there are any, so that the decision never depends on the outputs in memory; else as many
/// proposals as may be open, and a wait only without them.
fn in_order(todos: Vec<Todo>, room: usize) -> Vec<Todo> {
    let is_fetch = |todo: &Todo| matches!(todo, Todo::NeedOutput { .. });
    let is_wait = |todo: &Todo| matches!(todo, Todo::Wait { .. });
    if todos.iter().any(is_fetch) {
        return todos.into_iter().filter(is_fetch).collect();
    }
    let proposals = todos.iter().filter(|todo| !is_wait(todo)).take(room);
    let proposals: Vec<_> = proposals.cloned().collect();
    if proposals.is_empty() {
        return todos.into_iter().filter(is_wait).collect();
    }
    proposals
}

//! The life of each action in the stream: the stored times of its four events.

use std::collections::BTreeMap;

use actor::Stored;
use bus_schema::{Spec, Subject, TaskId, Time};
use serde_json::Value;

use crate::table::{Times, ms};

/// The events of an action, in order.
pub(crate) const KINDS: [&str; 4] = [
    "action.proposed",
    "action.granted",
    "action.started",
    "action.finished",
];

/// The stored times of one action.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Life {
    at: [Option<Time>; 4],
}

/// All actions of a part of the stream, by task and in the order of proposal.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    lives: BTreeMap<String, Life>,
    order: BTreeMap<Option<TaskId>, Vec<String>>,
    bytes: [Vec<usize>; 4],
    args: Vec<usize>,
    outputs: Vec<usize>,
}

/// The times of the actions of one run, in milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// The time from the stored proposal to the stored outcome.
    pub(crate) whole: Times,
    /// The times from each of the four events to the next; the last one is from the outcome to the next proposal.
    pub(crate) hops: [Times; 4],
    /// Finished actions in a second, from the first proposal to the last outcome.
    pub(crate) per_second: f64,
    /// The number of finished actions.
    pub(crate) count: usize,
    /// The longest time between two grants of any tasks.
    pub(crate) pause_ms: f64,
}

/// The sizes of an action in bytes: of the four bodies, of the arguments, and of the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) bodies: [usize; 4],
    pub(crate) args: usize,
    pub(crate) output: usize,
}

impl Actions {
    /// Adds one message of the stream.
    pub(crate) fn see(&mut self, stored: &Stored) {
        let Some(subject) = Subject::parse(&stored.subject) else {
            return;
        };
        let Some(step) = KINDS.iter().position(|kind| *kind == subject.kind) else {
            return;
        };
        let schema = format!("{}.v1", subject.kind);
        let Some(body) =
            Spec::of(subject.kind).and_then(|spec| spec.json(subject, &schema, &stored.body).ok())
        else {
            return;
        };
        let fact = body.get("fact").unwrap_or(&Value::Null);
        let action = fact
            .get("action")
            .or_else(|| fact.pointer("/grant/draft/action"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let length = |path: &str| fact.pointer(path).and_then(Value::as_u64);
        let stored_bytes = |len: u64| usize::try_from(len).unwrap_or(0) + 32;
        if step == 0 {
            self.order
                .entry(subject.task)
                .or_default()
                .push(action.clone());
            self.args.extend(length("/args/len").map(stored_bytes));
        }
        self.outputs.extend(length("/output/len").map(stored_bytes));
        self.note(action, step, stored.stored);
        if let Some(bytes) = self.bytes.get_mut(step) {
            bytes.push(stored.body.len());
        }
    }

    /// Adds one event of an action that has another key.
    pub(crate) fn see_raw(&mut self, lane: TaskId, action: String, step: usize, at: Time) {
        if step == 0 {
            self.order
                .entry(Some(lane))
                .or_default()
                .push(action.clone());
        }
        self.note(action, step, at);
    }

    fn note(&mut self, action: String, step: usize, at: Time) {
        if let Some(slot) = self.lives.entry(action).or_default().at.get_mut(step) {
            *slot = Some(at);
        }
    }

    /// The median sizes of an action.
    pub(crate) fn sizes(&self) -> Sizes {
        let [a, b, c, d] = &self.bytes;
        Sizes {
            bodies: [median(a), median(b), median(c), median(d)],
            args: median(&self.args),
            output: median(&self.outputs),
        }
    }

    /// Measures finished actions, without each task's first `warm` ones.
    pub(crate) fn measured(&self, warm: usize) -> Measured {
        let mut measured = Measured::default();
        let mut span: Option<(Time, Time)> = None;
        let mut grants = Vec::new();
        for order in self.order.values() {
            let mut before: Option<Time> = None;
            for (index, action) in order.iter().enumerate() {
                let Some(Life {
                    at: [Some(a), Some(b), Some(c), Some(d)],
                }) = self.lives.get(action)
                else {
                    continue;
                };
                let since = before.replace(*d);
                if index < warm {
                    continue;
                }
                measured.count += 1;
                grants.push(*b);
                measured.whole.push(ms(*a, *d));
                let [first, second, third, last] = &mut measured.hops;
                first.push(ms(*a, *b));
                second.push(ms(*b, *c));
                third.push(ms(*c, *d));
                if let Some(before) = since {
                    last.push(ms(before, *a));
                }
                let (from, to) = span.unwrap_or((*a, *d));
                span = Some((from.min(*a), to.max(*d)));
            }
        }
        grants.sort_unstable();
        let pauses = grants.iter().zip(grants.iter().skip(1));
        measured.pause_ms = pauses.map(|(a, b)| ms(*a, *b)).fold(0.0, f64::max);
        if let Some((from, to)) = span {
            let seconds = f64::from(u32::try_from(to.ms_since(from)).unwrap_or(u32::MAX)) / 1000.0;
            let count = f64::from(u32::try_from(measured.count).unwrap_or(u32::MAX));
            measured.per_second = count / seconds.max(0.001);
        }
        measured
    }
}

impl Measured {
    /// Merges several runs: all times, and all actions in the total time.
    pub(crate) fn all(runs: Vec<Self>) -> Self {
        let count = |measured: &Self| f64::from(u32::try_from(measured.count).unwrap_or(u32::MAX));
        let mut all = Self::default();
        let mut seconds = 0.0;
        for run in runs {
            seconds += count(&run) / run.per_second.max(0.001);
            all.count += run.count;
            all.pause_ms = all.pause_ms.max(run.pause_ms);
            all.whole.append(run.whole);
            for (all, hop) in all.hops.iter_mut().zip(run.hops) {
                all.append(hop);
            }
        }
        all.per_second = count(&all) / f64::max(seconds, 0.001);
        all
    }

    /// A run on one short line, for people.
    pub(crate) fn brief(&self) -> String {
        format!("{}, {:.0} actions/s", self.whole.text(), self.per_second)
    }

    /// A run on some lines, for people.
    pub(crate) fn text(&self) -> String {
        let [a, b, c, d] = &self.hops;
        format!(
            "{}, {:.0} actions/s ({} actions, longest time without a grant {:.0} ms)\n    proposed→granted {}\n    granted→started  {}\n    \
             started→finished {}\n    finished→next    {}",
            self.whole.text(),
            self.per_second,
            self.count,
            self.pause_ms,
            a.text(),
            b.text(),
            c.text(),
            d.text()
        )
    }
}

fn median(values: &[usize]) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

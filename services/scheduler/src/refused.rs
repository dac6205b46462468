//! Counts the messages from outside that start no run, and says so once a minute for each job and reason. The counts since the
//! last time are lost with the process.

use std::{cell::RefCell, collections::BTreeMap};

use actor::{Core, Outbox};
use bus_schema::{
    Deployment, Draft, JobName, MessageRefusal, Scheduler as Me, Time, TriggerRefused,
};

/// The time between two events about one job and reason.
const SAY_MS: u64 = 60_000;
/// Largest number of jobs and reasons in memory.
const COUNTS_MAX: usize = 1_000;

/// The counts of refused messages.
#[derive(Debug, Default)]
pub(crate) struct RefusedMessages(RefCell<BTreeMap<(JobName, MessageRefusal), Count>>);

#[derive(Debug, Default)]
struct Count {
    number: u32,
    last: Time,
    /// The time of the last event about it.
    said: Option<Time>,
}

impl RefusedMessages {
    /// Counts a message that was stored at `at`.
    pub(crate) fn add(&self, job: &JobName, why: MessageRefusal, at: Time) {
        let mut counts = self.0.borrow_mut();
        if counts.len() >= COUNTS_MAX {
            counts.retain(|_, count| count.number > 0);
        }
        if counts.len() < COUNTS_MAX || counts.contains_key(&(job.clone(), why)) {
            let count = counts.entry((job.clone(), why)).or_default();
            count.number = count.number.saturating_add(1);
            count.last = count.last.max(at);
        }
    }

    /// Folds an event about them, stored at `at`.
    pub(crate) fn said(&mut self, at: Time, fact: &TriggerRefused) {
        let counts = self.0.get_mut();
        if let Some(count) = counts.get_mut(&(fact.job.clone(), fact.why)) {
            count.number = count.number.saturating_sub(fact.count);
            count.said = Some(at);
        }
    }

    /// Returns the next event, and asks to be called for the one after it.
    pub(crate) fn draft<C: Core>(&self, now: Time, out: &mut Outbox<'_, C>) -> Option<Draft<Me>> {
        let counts = self.0.borrow();
        for ((job, why), count) in counts.iter().filter(|(_, count)| count.number > 0) {
            let due = count.said.map(|said| said.plus_ms(SAY_MS));
            if let Some(due) = due.filter(|due| now < *due) {
                out.wake(due);
                continue;
            }
            let fact = TriggerRefused {
                job: job.clone(),
                why: *why,
                count: count.number,
                last: count.last,
            };
            return Some(Draft::of(Deployment, fact));
        }
        None
    }
}

//! Decides which slots of a job are due now.

use bus_schema::{JobOnRecord, Time};
use job::{Job, Misfire, Overlap};

use crate::runs::Progress;

/// The time after which a slot counts as missed.
pub const LATE_MS: u64 = 60_000;
/// Largest number of runs of one job at a time.
pub const RUNS_MAX: usize = 16;

/// The slots of one job that may be due, newest first.
struct Missed<'j> {
    job: &'j Job,
    record: &'j JobOnRecord,
    progress: Progress,
    /// The last moment that was not looked at; none before the first slot.
    until: Option<Time>,
    now: Time,
}

impl Iterator for Missed<'_> {
    type Item = Time;

    fn next(&mut self) -> Option<Time> {
        let Progress {
            last,
            busy_from,
            free,
            ..
        } = self.progress;
        let (job, record) = (self.job, self.record);
        let mut slot = match self.until {
            None => job.latest_due(self.now, record)?,
            Some(until) => job.when.latest(until, record.at)?,
        };
        let due = job.due(slot, record);
        if job.overlap == Overlap::Skip && busy_from < due && due <= free {
            slot = job.latest_due(busy_from, record)?;
        }
        self.until = Some(Time::from_ns(slot.ns().saturating_sub(1)));
        (slot > self.record.since && slot > last).then_some(slot)
    }
}

/// Returns the slots that are due at `now`, oldest first. The next ones follow once these are on the record.
pub(crate) fn due(job: &Job, record: &JobOnRecord, progress: Progress, now: Time) -> Vec<Time> {
    let mut missed = Missed {
        job,
        record,
        progress,
        until: None,
        now,
    };
    let mut slots: Vec<Time> = match job.misfire {
        Misfire::Skip => {
            // What waited for the end of a run is not late for that.
            let waited = |slot: Time| match job.overlap {
                Overlap::Queue(_) => job.due(slot, record).max(progress.free),
                Overlap::Skip | Overlap::Allow | Overlap::Cancel => job.due(slot, record),
            };
            let newest = missed.next();
            let in_time = newest.filter(|slot| now.ms_since(waited(*slot)) <= LATE_MS);
            in_time.into_iter().collect()
        }
        Misfire::Once => missed.next().into_iter().collect(),
        Misfire::All(most) => missed.take(usize::from(most)).collect(),
    };
    if let Overlap::Queue(most) = job.overlap {
        slots.truncate(usize::from(most));
    }
    slots.reverse();
    slots.truncate(room(job, progress));
    slots
}

/// Returns the number of runs that may begin beside those that go on.
pub(crate) fn room(job: &Job, progress: Progress) -> usize {
    match job.overlap {
        // The run that goes on is stopped before the next one is admitted.
        Overlap::Cancel | Overlap::Allow => RUNS_MAX.saturating_sub(progress.open),
        Overlap::Skip | Overlap::Queue(_) => 1_usize.saturating_sub(progress.open),
    }
}

/// Returns true if a run that failed may be tried again beside those that go on: it never stops another one.
pub(crate) fn may_retry(job: &Job, progress: Progress) -> bool {
    match job.overlap {
        Overlap::Allow => progress.open < RUNS_MAX,
        Overlap::Cancel | Overlap::Skip | Overlap::Queue(_) => progress.open == 0,
    }
}

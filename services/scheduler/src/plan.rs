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
    /// The last moment that was not looked at.
    until: Time,
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
        let signed = self.record.at;
        let mut slot = self.job.when.latest(self.until, signed)?;
        if self.job.overlap == Overlap::Skip && busy_from < slot && slot <= free {
            slot = self.job.when.latest(busy_from, signed)?;
        }
        self.until = Time::from_ns(slot.ns().saturating_sub(1));
        (slot > self.record.since && slot > last).then_some(slot)
    }
}

/// Returns the slots that are due at `now`, oldest first. The next ones follow once these are on the record.
pub(crate) fn due(job: &Job, record: &JobOnRecord, progress: Progress, now: Time) -> Vec<Time> {
    let together = job.overlap == Overlap::Allow;
    let room = if together {
        RUNS_MAX.saturating_sub(progress.open)
    } else {
        1_usize.saturating_sub(progress.open)
    };
    let mut missed = Missed {
        job,
        record,
        progress,
        until: now,
    };
    let mut slots: Vec<Time> = match job.misfire {
        Misfire::Skip => {
            // What waited for the end of a run is not late for that.
            let waited = |slot: Time| match job.overlap {
                Overlap::Queue => slot.max(progress.free),
                Overlap::Skip | Overlap::Allow => slot,
            };
            let newest = missed.next();
            let in_time = newest.filter(|slot| now.ms_since(waited(*slot)) <= LATE_MS);
            in_time.into_iter().collect()
        }
        Misfire::Once => missed.next().into_iter().collect(),
        Misfire::All(most) => missed.take(usize::from(most)).collect(),
    };
    slots.reverse();
    slots.truncate(room);
    slots
}

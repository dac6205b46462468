//! The moments at which the slots of a job are due: its jitter spreads them, in the same way for every reader.

use bus_schema::{Digest, JobOnRecord, Time};

use crate::Job;

impl Job {
    /// Returns the moment at which the run of a slot is due: after the slot by a part of the jitter, which follows from job,
    /// version and slot, and before the next slot.
    #[must_use]
    pub fn due(&self, slot: Time, record: &JobOnRecord) -> Time {
        if self.jitter_ms == 0 {
            return slot;
        }
        let signed = &record.signed;
        let version = signed.version.to_be_bytes();
        let ns = slot.ns().to_be_bytes();
        let digest = Digest::of(&[b"jitter", signed.job.as_str().as_bytes(), &version, &ns]);
        let first = digest.as_bytes().iter().take(8);
        let hash = first.fold(0_u64, |hash, byte| (hash << 8) | u64::from(*byte));
        let due = slot.plus_ms(hash % self.jitter_ms.saturating_add(1));
        let next = self.when.next(slot, record.at);
        let before = next.map(|next| Time::from_ns(next.ns().saturating_sub(1_000_000)));
        before.map_or(due, |before| due.min(before)).max(slot)
    }

    /// Returns the last slot that is due at `now`.
    #[must_use]
    pub fn latest_due(&self, now: Time, record: &JobOnRecord) -> Option<Time> {
        let slot = self.when.latest(now, record.at)?;
        if self.due(slot, record) <= now {
            return Some(slot);
        }
        // Each slot is due before the next one.
        let before = Time::from_ns(slot.ns().saturating_sub(1));
        self.when.latest(before, record.at)
    }

    /// Returns the first moment after `after` at which a slot is due.
    #[must_use]
    pub fn next_due(&self, after: Time, record: &JobOnRecord) -> Option<Time> {
        let latest = self.when.latest(after, record.at);
        let latest = latest.map(|slot| self.due(slot, record));
        let next = || self.when.next(after, record.at);
        latest
            .filter(|due| *due > after)
            .or_else(|| next().map(|slot| self.due(slot, record)))
    }
}

//! The sessions of browsers and the challenges before them: in memory alone, each bound to one device.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bus_schema::{Challenge, DeviceId, Digest, Time};
use tokio::sync::watch;

/// The time in which a challenge must be answered.
const CHALLENGE_MS: u64 = 60_000;
/// The number of challenges of a device that can be answered; a new one displaces the oldest.
const CHALLENGES_EACH: usize = 4;
/// The time after which an unused session ends: 15 minutes.
pub(crate) const IDLE_MS: u64 = 15 * 60_000;
/// The time after which every session ends: 12 hours.
const LONGEST_MS: u64 = 12 * 60 * 60_000;
/// The number of sessions of a device; a new one displaces the oldest.
const SESSIONS_EACH: usize = 8;

/// The name of a session: the digest of what its cookie holds.
pub(crate) type SessionName = Digest;

/// A session of a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BrowserSession {
    /// The device that signed in.
    pub(crate) device: DeviceId,
    /// The end, unless a request renews it.
    pub(crate) until: Time,
    /// The end that no request moves.
    pub(crate) ends: Time,
}

/// All sessions and challenges.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: Mutex<SessionTable>,
    /// The number of sessions that were ended by their devices.
    ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct SessionTable {
    challenges: BTreeMap<DeviceId, VecDeque<(Challenge, Time)>>,
    open: BTreeMap<SessionName, BrowserSession>,
}

impl Sessions {
    /// Keeps a challenge for a device of the record; returns the moment by which it must be answered.
    pub(crate) fn challenge(&self, device: DeviceId, challenge: Challenge, now: Time) -> Time {
        let until = now.plus_ms(CHALLENGE_MS);
        let mut table = self.lock();
        let of = table.challenges.entry(device).or_default();
        if of.len() == CHALLENGES_EACH {
            of.pop_front();
        }
        of.push_back((challenge, until));
        until
    }

    /// Takes a challenge of a device away; returns true if it was there and in time.
    pub(crate) fn answered(&self, device: DeviceId, challenge: Challenge, now: Time) -> bool {
        let mut table = self.lock();
        let Some(of) = table.challenges.get_mut(&device) else {
            return false;
        };
        let place = of.iter().position(|(one, _)| *one == challenge);
        let taken = place.and_then(|place| of.remove(place));
        taken.is_some_and(|(_, until)| now <= until)
    }

    /// Begins a session whose cookie has this digest.
    pub(crate) fn begin(&self, name: SessionName, device: DeviceId, now: Time) {
        let mut table = self.lock();
        table.open.retain(|_, one| now <= one.until);
        let of = table.open.iter().filter(|(_, one)| one.device == device);
        let (count, oldest) = of.fold((0, None), |(count, oldest), (name, one)| {
            let this = (one.ends, *name);
            (
                count + 1,
                Some(oldest.map_or(this, |oldest| this.min(oldest))),
            )
        });
        if count >= SESSIONS_EACH
            && let Some((_, oldest)) = oldest
        {
            table.open.remove(&oldest);
        }
        let ends = now.plus_ms(LONGEST_MS);
        let session = BrowserSession {
            device,
            until: now.plus_ms(IDLE_MS),
            ends,
        };
        table.open.insert(name, session);
    }

    /// Returns an open session.
    pub(crate) fn get(&self, name: &SessionName, now: Time) -> Option<BrowserSession> {
        let open = self.lock().open.get(name).copied();
        open.filter(|one| now <= one.until)
    }

    /// Returns an open session, which a request renews.
    pub(crate) fn renew(&self, name: &SessionName, now: Time) -> Option<BrowserSession> {
        let mut table = self.lock();
        let open = table.open.get_mut(name).filter(|one| now <= one.until)?;
        open.until = now.plus_ms(IDLE_MS).min(open.ends);
        Some(*open)
    }

    /// Ends a session.
    pub(crate) fn end(&self, name: &SessionName) {
        self.lock().open.remove(name);
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Changes with each session that its device ends.
    pub(crate) fn signed_out(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, SessionTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

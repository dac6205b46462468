//! The pairings that the owner announced: in memory alone. They decide nothing: only the owner's endorsement does.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bus_schema::{DeviceKey, PairingId, Time};

/// The longest validity of a pairing: 10 minutes, and a minute for clocks that differ.
pub(crate) const PAIRING_MS_MAX: u64 = 11 * 60_000;
/// The number of pairings that are open at a time.
const PAIRINGS_MAX: usize = 5;

/// One pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pairing {
    /// The end.
    pub(crate) until: Time,
    /// The key of the one device that offered itself.
    pub(crate) key: Option<DeviceKey>,
    /// True if the owner ended it.
    pub(crate) is_ended: bool,
}

/// The reason why a pairing does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotPaired {
    /// No such pairing is open.
    Unknown,
    /// Another device has offered itself.
    Taken,
    /// Too many pairings are open.
    Full,
}

/// The announced pairings.
#[derive(Debug, Default)]
pub(crate) struct Pairings(Mutex<BTreeMap<PairingId, Pairing>>);

impl Pairings {
    /// Opens a pairing, or ends it if `until` is not after `now`. A pairing that was open before keeps its device.
    pub(crate) fn announce(&self, id: PairingId, until: Time, now: Time) -> Result<(), NotPaired> {
        let mut all = self.lock();
        all.retain(|_, one| now.ms_since(one.until) < PAIRING_MS_MAX);
        let open = all.values().filter(|one| one.is_open(now)).count();
        if let Some(known) = all.get_mut(&id) {
            known.is_ended |= until <= now;
            return Ok(());
        }
        if open >= PAIRINGS_MAX {
            return Err(NotPaired::Full);
        }
        let is_ended = until <= now;
        let pairing = Pairing {
            until,
            key: None,
            is_ended,
        };
        all.insert(id, pairing);
        Ok(())
    }

    /// Offers the key of a device; the same key again changes nothing.
    pub(crate) fn offer(
        &self,
        id: PairingId,
        key: DeviceKey,
        now: Time,
    ) -> Result<Pairing, NotPaired> {
        let mut all = self.lock();
        let one = all.get_mut(&id).filter(|one| one.is_open(now));
        let one = one.ok_or(NotPaired::Unknown)?;
        if *one.key.get_or_insert(key) != key {
            return Err(NotPaired::Taken);
        }
        Ok(*one)
    }

    /// Returns a pairing, also for some time after its end.
    pub(crate) fn get(&self, id: PairingId) -> Option<Pairing> {
        self.lock().get(&id).copied()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PairingId, Pairing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pairing {
    /// Returns true if a device may still offer itself or be endorsed.
    pub(crate) fn is_open(&self, now: Time) -> bool {
        !self.is_ended && now < self.until
    }
}

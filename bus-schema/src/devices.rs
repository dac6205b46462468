//! The devices of the owner on the record, and whom the key under a statement speaks for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    DeploymentId, DeviceEndorsed, DeviceId, DeviceRefused, DeviceRevoked, PublicKey, Time,
};

/// Most devices that a deployment ever endorses, those that ended included; the devices of a person are few.
pub const DEVICES_MAX: usize = 256;

/// A device on the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceOnRecord {
    /// The device as the owner endorsed it.
    pub endorsed: DeviceEndorsed,
    /// The time of the endorsement, in bus time.
    pub at: Time,
    /// True if the owner revoked it since; nothing makes it valid again.
    pub is_revoked: bool,
}

impl DeviceOnRecord {
    /// Checks that the device is neither revoked nor expired at `now`, in bus time.
    ///
    /// # Errors
    /// [`DeviceRefused::Revoked`] or [`DeviceRefused::Expired`].
    pub fn check(&self, now: Time) -> Result<(), DeviceRefused> {
        if self.is_revoked {
            return Err(DeviceRefused::Revoked);
        }
        if now >= self.endorsed.expires {
            return Err(DeviceRefused::Expired);
        }
        Ok(())
    }
}

/// The devices of a deployment: all that the owner endorsed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices(BTreeMap<DeviceId, DeviceOnRecord>);

/// No devices.
static NONE: Devices = Devices(BTreeMap::new());

impl Devices {
    /// Folds an endorsement that was stored at `at`. It counts only for the deployment `here`, and only with an id and a
    /// key that no device had before: otherwise a revoked device could come back. Returns true if it counts.
    pub fn endorse(
        &mut self,
        here: Option<DeploymentId>,
        at: Time,
        endorsed: DeviceEndorsed,
    ) -> bool {
        let key = endorsed.key.signs();
        let counts = here == Some(endorsed.deployment)
            && !self.0.contains_key(&endorsed.device)
            && self.by_key(&key).is_none()
            && self.0.len() < DEVICES_MAX;
        if counts {
            let device = endorsed.device;
            let record = DeviceOnRecord {
                endorsed,
                at,
                is_revoked: false,
            };
            self.0.insert(device, record);
        }
        counts
    }

    /// Folds a revocation. Returns the key of the device, if it is known.
    pub fn revoke(&mut self, revoked: &DeviceRevoked) -> Option<PublicKey> {
        let device = self.0.get_mut(&revoked.device)?;
        device.is_revoked = true;
        Some(device.endorsed.key.signs())
    }

    /// Returns a device, valid or not.
    #[must_use]
    pub fn get(&self, device: &DeviceId) -> Option<&DeviceOnRecord> {
        self.0.get(device)
    }

    /// Returns the device with this key, valid or not.
    #[must_use]
    pub fn by_key(&self, key: &PublicKey) -> Option<&DeviceOnRecord> {
        self.iter().find(|one| one.endorsed.key.signs() == *key)
    }

    /// Returns all of them, sorted by id, which is by age.
    pub fn iter(&self) -> impl Iterator<Item = &DeviceOnRecord> {
        self.0.values()
    }

    /// Returns the number of devices that were ever endorsed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if no device was ever endorsed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The owner's key with the devices that speak for the owner.
#[derive(Debug, Clone, Copy)]
pub struct Signers<'a> {
    /// The owner's key.
    pub owner: PublicKey,
    /// The devices on the record.
    pub devices: &'a Devices,
}

impl Signers<'_> {
    /// The owner without devices.
    #[must_use]
    pub fn without_devices(owner: PublicKey) -> Signers<'static> {
        Signers {
            owner,
            devices: &NONE,
        }
    }

    /// Returns the person for whom an answer under `key` counts at `now`, in bus time: the owner for a device of the
    /// owner, and the key itself for every other key. A key of a device counts as nothing else, so a contract that names the
    /// key of a revoked device does not bring it back.
    ///
    /// # Errors
    /// Returns the reason why the device may not answer.
    pub fn answers_for(&self, key: &PublicKey, now: Time) -> Result<PublicKey, DeviceRefused> {
        let device = self.devices.by_key(key);
        let Some(device) = device.filter(|_| *key != self.owner) else {
            return Ok(*key);
        };
        device.check(now)?;
        if device.endorsed.role.approves() {
            Ok(self.owner)
        } else {
            Err(DeviceRefused::Role)
        }
    }

    /// Returns the person that `key` belongs to, also if it does not count any more.
    #[must_use]
    pub fn person(&self, key: &PublicKey) -> PublicKey {
        match self.devices.by_key(key) {
            Some(_) => self.owner,
            None => *key,
        }
    }
}

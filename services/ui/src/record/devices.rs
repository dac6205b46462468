//! The devices of the owner, and the last answer of each.

use std::collections::BTreeMap;

use bus_schema::{
    DeploymentId, DeviceEndorsed, DeviceOnRecord, DeviceRevoked, Devices, PublicKey, Signed, Time,
};
use serde::{Deserialize, Serialize};

/// The devices, and the last answer of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenDevices {
    devices: Devices,
    answers: BTreeMap<PublicKey, Time>,
}

impl SeenDevices {
    pub(super) fn endorse(
        &mut self,
        here: Option<DeploymentId>,
        at: Time,
        endorsed: DeviceEndorsed,
    ) {
        self.devices.endorse(here, at, endorsed);
    }

    pub(super) fn revoke(&mut self, revoked: &DeviceRevoked) {
        self.devices.revoke(revoked);
    }

    /// Notes an answer that was carried, if a device of the record signed it.
    pub(super) fn answered(&mut self, statement: &Signed, at: Time) {
        let by = statement.by();
        if self.devices.by_key(&by).is_some() && statement.open(&by).is_ok() {
            self.answers.insert(by, at);
        }
    }

    /// The devices, the newest first.
    pub(crate) fn newest(&self) -> Vec<&DeviceOnRecord> {
        let mut all: Vec<_> = self.devices.iter().collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.at));
        all
    }

    /// The time of the last answer under a key.
    pub(crate) fn last_answer(&self, key: &PublicKey) -> Option<Time> {
        self.answers.get(key).copied()
    }
}

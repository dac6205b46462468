//! The parts of a device of the owner: its key, its role, and the reasons why it may not answer.

use serde::{Deserialize, Serialize};

use crate::PublicKey;

/// Longest validity of a device: 400 days.
pub const DEVICE_DAYS_MAX: u16 = 400;

/// The rights of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceRole {
    /// Reads.
    Viewer,
    /// Reads, and answers questions in the owner's place.
    Approver,
    /// As an approver.
    Owner,
}

impl DeviceRole {
    /// Returns true if the device may answer questions in the owner's place.
    #[must_use]
    pub const fn approves(self) -> bool {
        match self {
            Self::Viewer => false,
            Self::Approver | Self::Owner => true,
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Owner => "owner",
        }
    }
}

/// The key of a device, by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKey {
    /// An Ed25519 key: a file, or a key of a browser that its scripts can use and not read.
    #[serde(rename = "ed25519")]
    Ed25519(PublicKey),
    /// A passkey, by its name: see [`crate::passkey()`].
    #[serde(rename = "webauthn-es256")]
    Passkey(PublicKey),
}

impl DeviceKey {
    /// The key that statements of the device are signed with.
    #[must_use]
    pub const fn signs(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) | Self::Passkey(key) => *key,
        }
    }
}

/// The reason why the statement of a device does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceRefused {
    /// The owner revoked the device.
    #[error("the device was revoked; pair it again")]
    Revoked,
    /// The endorsement of the device has expired.
    #[error("the endorsement of the device has expired; pair it again")]
    Expired,
    /// The role of the device does not permit it.
    #[error("the device may only read; pair it again with `--role approver`")]
    Role,
    /// The question demands a passkey.
    #[error(
        "the contract demands a passkey; approve with a device that was paired with `--passkey`"
    )]
    Unverified,
}

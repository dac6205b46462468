//! The JSON about devices: pairings, sessions of browsers, and questions as they are signed.

use bus_schema::{Challenge, DeviceId, DeviceKey, DeviceName, DeviceRole, PublicKey, Signed, Time};
use serde::{Deserialize, Serialize};

/// `POST /v1/pairings`: the owner opens or ends a pairing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnouncePairing {
    /// Base64 of the MessagePack of a [`Signed`] pairing statement.
    #[serde(with = "super::signed")]
    pub signed: Signed,
}

/// `POST /v1/pairings/{pairing}/device`: a device offers its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferDevice {
    /// Its key.
    pub key: DeviceKey,
}

/// The state of a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingState {
    /// It waits for a device.
    Open,
    /// A device offered its key; the owner compares the codes.
    Offered,
    /// The owner endorsed the device.
    Paired,
    /// It has ended without a device.
    Ended,
}

/// `GET /v1/pairings/{pairing}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairingShown {
    /// The state.
    pub state: PairingState,
    /// The key that was offered.
    pub key: Option<DeviceKey>,
    /// The owner's endorsement of it.
    pub endorsement: Option<OwnerWord>,
}

/// An event of the owner, for checking: the signature is the owner's, over exactly the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerWord {
    /// Base64 of the body.
    pub body: String,
    /// The signature, hexadecimal.
    pub signature: String,
}

/// `POST /v1/session/challenge`: a device wants to sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskChallenge {
    /// The device.
    pub device: DeviceId,
}

/// The response: the device signs it with [`bus_schema::SignInStatement`], once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionChallenge {
    /// The challenge.
    pub challenge: Challenge,
    /// The moment by which it must be answered.
    pub until: Time,
}

/// `GET /v1/session`: the session of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionShown {
    /// The device that signed in.
    pub device: DeviceId,
    /// Its name.
    pub name: DeviceName,
    /// Its role.
    pub role: DeviceRole,
    /// The end of the session, unless another request renews it.
    pub until: Time,
}

/// `GET /v1/tasks/{id}/questions/{action}`: a question as it is signed. Nothing in it is trusted: whoever signs checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionShown {
    /// Base64 of the draft grant: approvals name its SHA-256.
    pub draft: String,
    /// The owner's signature of the contract, if it is kept here.
    pub contract: Option<OwnerWord>,
    /// The owner's key.
    pub owner: PublicKey,
}

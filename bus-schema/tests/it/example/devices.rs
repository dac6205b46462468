//! The examples of facts and statements about devices.

use bus_schema::{
    AuthorId, Challenge, Deployment as D, DeviceEndorsed, DeviceKey, DeviceRevoked, DeviceRole,
    PairingId, PairingStatement, SignInStatement, Statement, public_key,
};

use super::{Example, event};
use crate::fixture::{T0, deployment, id, name, new_key};

/// An approver's device.
pub(crate) fn endorsed() -> DeviceEndorsed {
    DeviceEndorsed {
        deployment: deployment(),
        device: id(30),
        key: DeviceKey::Ed25519(public_key(&new_key(AuthorId::Audit))),
        role: DeviceRole::Approver,
        name: name("Phone 2"),
        expires: T0.plus_ms(86_400_000),
    }
}

pub(crate) fn revoked() -> DeviceRevoked {
    DeviceRevoked { device: id(30) }
}

pub(super) fn events() -> Vec<Example> {
    vec![event(D, endorsed()), event(D, revoked())]
}

pub(super) fn sign_in() -> Statement {
    Statement::SignIn(SignInStatement {
        deployment: deployment(),
        device: id(30),
        challenge: Challenge::new([31; 32]),
        origin: "http://127.0.0.1:8080".to_owned(),
    })
}

pub(super) fn pairing() -> Statement {
    Statement::Pairing(PairingStatement {
        deployment: deployment(),
        pairing: PairingId::new([32; 16]),
        until: T0,
    })
}

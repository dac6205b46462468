//! Exceptions to the shipped profile: properties that a service may lack until a time, signed by the owner.

use std::path::Path;

use bus_schema::{AuthorId, Property, PublicKey, Signature, Time, verify, wire};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use crate::files;

/// The prefix of the signed bytes, which no other signature of the owner covers.
const PURPOSE: &str = "contractual hardening exception 1";

/// The properties that a service may lack, signed by the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    service: AuthorId,
    waived: Vec<Property>,
    until: Time,
    signature: Signature,
}

/// The signed part.
#[derive(Serialize)]
struct Words<'a> {
    purpose: &'static str,
    service: AuthorId,
    waived: &'a [Property],
    until: Time,
}

/// The reason why an exception is invalid.
#[derive(Debug, thiserror::Error)]
pub enum NotExcepted {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file is not an exception.
    #[error("it is not what `contractual exception add` writes; write a new one")]
    Malformed,
    /// The owner's signature does not match.
    #[error(
        "the owner's signature does not cover it; write a new one with `contractual exception add`"
    )]
    NotSigned,
    /// It is for another service.
    #[error("it is for {0}; write one for this service with `contractual exception add`")]
    Other(AuthorId),
    /// It has expired.
    #[error(
        "it expired at {0}; fix the container, or sign a new one with `contractual exception add`"
    )]
    Over(Time),
}

impl Exception {
    /// Signs that `service` may lack `waived` until `until`, by the clock of its machine.
    #[must_use]
    pub fn sign(service: AuthorId, waived: Vec<Property>, until: Time, owner: &SigningKey) -> Self {
        let words = words(service, &waived, until);
        let signature = Signature::new(owner.sign(&words).to_bytes());
        Self {
            service,
            waived,
            until,
            signature,
        }
    }

    /// Reads an exception that is valid for `service` at `now`.
    ///
    /// # Errors
    /// Returns the reason if it is not valid.
    pub fn read(
        path: &Path,
        service: AuthorId,
        owner: &PublicKey,
        now: Time,
    ) -> Result<Self, NotExcepted> {
        let bytes = files::read_public(path)?;
        let read: Self = serde_json::from_slice(&bytes).map_err(|_| NotExcepted::Malformed)?;
        let words = words(read.service, &read.waived, read.until);
        if !verify(owner, &words, &read.signature) {
            return Err(NotExcepted::NotSigned);
        }
        if read.service != service {
            return Err(NotExcepted::Other(read.service));
        }
        if now > read.until {
            return Err(NotExcepted::Over(read.until));
        }
        Ok(read)
    }

    /// Returns true if it allows `property` to be missing.
    #[must_use]
    pub fn waives(&self, property: Property) -> bool {
        self.waived.contains(&property)
    }
}

fn words(service: AuthorId, waived: &[Property], until: Time) -> Vec<u8> {
    wire::encode(&Words {
        purpose: PURPOSE,
        service,
        waived,
        until,
    })
}

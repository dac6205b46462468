//! The one way round the shipped profile: what the owner signed that a service may do without, until when.

use std::path::Path;

use bus_schema::{AuthorId, Property, PublicKey, Signature, Time, verify, wire};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use crate::files;

/// What the signature covers, and no other signature of the owner does.
const PURPOSE: &str = "contractual hardening exception 1";

/// What a service may do without, signed by the owner.
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

/// Why an exception is none.
#[derive(Debug, thiserror::Error)]
pub enum NotExcepted {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// It is not an exception.
    #[error("it is not what `contractual waive` writes; write it anew")]
    Malformed,
    /// The owner did not sign it like this.
    #[error("the owner's signature does not cover it; write it anew with `contractual waive`")]
    NotSigned,
    /// It is for another service.
    #[error("it is for {0}; write one for this service with `contractual waive`")]
    Other(AuthorId),
    /// Its time is over.
    #[error("it ended at {0}; put the container right, or sign a new one with `contractual waive`")]
    Over(Time),
}

impl Exception {
    /// Signs that `service` may do without `waived` until `until`, by the clock of its machine.
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

    /// Reads one that holds for `service` at `now`.
    ///
    /// # Errors
    /// Why it does not hold.
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

    /// Whether it may do without `property`.
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

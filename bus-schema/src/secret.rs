//! The secrets on the record, and the reasons that one is not released.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AuthorId, Content, SecretName, SecretRenewed, SecretRevoked, SecretSigned};

/// The secrets on the record: of each name the version that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets(BTreeMap<SecretName, SecretOnRecord>);

/// The newest version of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretOnRecord {
    /// The version as the owner signed it.
    pub signed: SecretSigned,
    /// True if the owner revoked it since.
    pub is_revoked: bool,
    /// The content that took the place of the signed one: the terms with a newer refresh token.
    #[serde(default)]
    pub renewed: Option<Content>,
}

impl SecretOnRecord {
    /// Returns the newest sealed value, and the author that stored it.
    #[must_use]
    pub fn sealed(&self) -> (AuthorId, Content) {
        match self.renewed {
            Some(renewed) => (AuthorId::Broker, renewed),
            None => (AuthorId::Owner, self.signed.sealed),
        }
    }
}

impl Secrets {
    /// Folds a signed version; only a higher one replaces another, so nobody brings an older one back by repeating it.
    pub fn sign(&mut self, signed: SecretSigned) {
        let newest = self.0.get(&signed.name);
        if newest.is_none_or(|newest| signed.version > newest.signed.version) {
            let name = signed.name.clone();
            let newest = SecretOnRecord {
                signed,
                is_revoked: false,
                renewed: None,
            };
            self.0.insert(name, newest);
        }
    }

    /// Folds a revocation.
    pub fn revoke(&mut self, revoked: &SecretRevoked) {
        if let Some(newest) = self.0.get_mut(&revoked.name) {
            newest.is_revoked |= newest.signed.version <= revoked.version;
        }
    }

    /// Folds a renewal, which only counts for the newest version.
    pub fn renew(&mut self, renewed: &SecretRenewed) {
        if let Some(newest) = self.0.get_mut(&renewed.name)
            && newest.signed.version == renewed.version
        {
            newest.renewed = Some(renewed.sealed);
        }
    }

    /// Returns the newest version, revoked or not.
    #[must_use]
    pub fn get(&self, name: &SecretName) -> Option<&SecretOnRecord> {
        self.0.get(name)
    }

    /// Returns the newest version, if it may be used.
    ///
    /// # Errors
    /// [`NotReleased::Unknown`], [`NotReleased::Revoked`] or [`NotReleased::Unbound`].
    pub fn usable(&self, name: &SecretName) -> Result<&SecretSigned, NotReleased> {
        let newest = self.get(name).ok_or(NotReleased::Unknown)?;
        if newest.is_revoked {
            return Err(NotReleased::Revoked);
        }
        if newest.signed.inner.is_none() {
            return Err(NotReleased::Unbound);
        }
        Ok(&newest.signed)
    }

    /// Returns all of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &SecretOnRecord> {
        self.0.values()
    }
}

/// The reason that a secret is not released. The set is closed, so that programs can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NotReleased {
    /// The broker found no claim of the action in the record.
    #[error("the broker finds no claim of this action on the record")]
    NotClaimed,
    /// The action has ended, or its time is over.
    #[error("the action has ended, or its time is over")]
    Ended,
    /// Everything is halted.
    #[error("everything is halted")]
    Halted,
    /// The owner cancelled the task.
    #[error("the owner cancelled the task")]
    Cancelled,
    /// The owner did not sign the task under this contract.
    #[error("the owner did not sign the task under this contract")]
    Task,
    /// No contract of the grant is in force.
    #[error("no such contract is in force")]
    NoContract,
    /// The grant is outside the envelope that the owner signed.
    #[error("the grant is outside the envelope that the owner signed")]
    OutsideEnvelope,
    /// The grant, or the contract, does not name the secret.
    #[error(
        "the contract does not name it; add it to `secrets` of the rule and sign the contract again"
    )]
    NotNamed,
    /// The tool of the owner's catalogue uses another secret, or none.
    #[error("the tool that the owner signed does not use it")]
    Tool,
    /// The contract does not name the tool's host.
    #[error("the contract does not name the host of the tool")]
    Host,
    /// The secret is for other hosts, or for other methods.
    #[error(
        "it is not for the host and the method of the tool; see `contractual secret show`, and set it for them"
    )]
    Terms,
    /// There is no secret of this name.
    #[error("there is no secret of this name; give it with `contractual secret set`")]
    Unknown,
    /// The owner revoked it.
    #[error("the owner revoked it; give it again with `contractual secret set`")]
    Revoked,
    /// The owner signed it without the digest of its inner seal, so another value could stand in its place.
    #[error(
        "it was signed in an older form, which does not bind its value; give it again with `contractual secret rotate`"
    )]
    Unbound,
    /// Another version replaced the one that was released for the action.
    #[error("another version replaced it while the action ran; run the task again")]
    Replaced,
    /// Another secret was released for the action.
    #[error("another secret was released for this action")]
    Another,
    /// The sealed bytes were erased.
    #[error("its sealed value was erased; give it again with `contractual secret set`")]
    Erased,
    /// The sealed bytes do not fit the owner's signature, or the broker's key does not open them.
    #[error(
        "its seal does not open with the broker's key; give it again with `contractual secret rotate`"
    )]
    Seal,
    /// No file has the sealed value.
    #[error(
        "its sealed value is in a file, which is not in the broker's folder `secrets`; put it back, or give the value again \
         with `contractual secret set`"
    )]
    NoFile,
    /// The file of the sealed value cannot be read.
    #[error(
        "the file of its sealed value cannot be read; put a regular file there that the broker's user can read"
    )]
    FileUnread,
    /// The file has other bytes than the owner signed.
    #[error(
        "the file of its sealed value is not the one that the owner signed; put that one back, or give the value again with \
         `contractual secret set`"
    )]
    OtherFile,
    /// The broker cannot read what it needs.
    #[error("the broker cannot read the record or the catalogue now; run the task again")]
    Unread,
}

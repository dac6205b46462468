//! Live messages: signed, ephemeral, allowed to be lost.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{AuthorId, Digest, Time};

/// A live message: subject `live.<author>.<WHAT>.-`.
pub trait Live: Serialize + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static {
    /// Its only author.
    const BY: AuthorId;
    /// Its name.
    const WHAT: &'static str;
    /// The authors that subscribe to it.
    const TO: &'static [AuthorId];
    /// Its only subject.
    #[must_use]
    fn subject() -> String {
        format!("live.{}.{}.-", Self::BY, Self::WHAT)
    }
}

/// The head of the durable log. Without a fresh head nothing is granted and nothing claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The number of leaves; leaf n is the message with stream sequence n.
    pub size: u64,
    /// The Merkle tree's root.
    pub root: Digest,
    /// The stored time of the last leaf.
    pub stored: Time,
}

impl Live for Head {
    const BY: AuthorId = AuthorId::Audit;
    const WHAT: &'static str = "head";
    const TO: &'static [AuthorId] = &[
        AuthorId::Policy,
        AuthorId::Runner,
        AuthorId::Egress,
        AuthorId::Gateway,
        AuthorId::Owner,
    ];
}

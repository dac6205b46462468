//! Live messages: signed, ephemeral, allowed to be lost.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ActionId, AuthorId, Digest, TaskId, Time};

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

/// The longest text of a [`Piece`], in bytes.
pub const PIECE_BYTES_MAX: usize = 4096;

/// A part of the answer to a request that is still arriving. The whole answer stands in the outcome of the action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// The task.
    pub task: TaskId,
    /// The action.
    pub action: ActionId,
    /// Its place in the answer, from 0; a lost piece leaves a gap.
    pub nth: u32,
    /// The data of one server-sent event, or the next part of a text; of at most [`PIECE_BYTES_MAX`] bytes.
    pub text: String,
}

impl Live for Piece {
    const BY: AuthorId = AuthorId::Egress;
    const WHAT: &'static str = "piece";
    const TO: &'static [AuthorId] = &[AuthorId::Gateway];
}

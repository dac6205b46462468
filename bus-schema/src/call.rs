//! Calls: signed questions over request and reply.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Author, AuthorId, Digest, Owner};

/// A call: subject `call.<TO>.<caller>.<VERB>`.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// Who answers.
    const TO: AuthorId;
    /// What is asked.
    const VERB: &'static str;
    /// Who may ask.
    const FROM: &'static [AuthorId];
    /// The answer.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// The subject when `caller` asks.
    #[must_use]
    fn subject(caller: AuthorId) -> String {
        format!("call.{}.{caller}.{}", Self::TO, Self::VERB)
    }
}

/// The right of an author to ask `C`.
pub trait May<C: Call>: Author {}

/// What the table knows of one call.
#[derive(Debug, Clone, Copy)]
pub struct CallSpec {
    /// Who answers.
    pub to: AuthorId,
    /// What is asked.
    pub verb: &'static str,
    /// Who may ask.
    pub from: &'static [AuthorId],
}

/// Every call there is.
pub const CALLS: &[CallSpec] = &[CallSpec {
    to: Prove::TO,
    verb: Prove::VERB,
    from: Prove::FROM,
}];

/// Asks for the proof that one message is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prove {
    /// Its place in the stream.
    pub seq: u64,
}

/// An inclusion proof under the newest checkpoint; `None` in the reply if the log does not reach that far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The leaf's bytes.
    #[serde(with = "crate::id::hex_as_text")]
    pub entry: Vec<u8>,
    /// The hashes from the leaf's sibling up to the root.
    pub path: Vec<Digest>,
    /// The signed checkpoint (C2SP tlog-checkpoint).
    pub checkpoint: String,
}

impl Call for Prove {
    const TO: AuthorId = AuthorId::Audit;
    const VERB: &'static str = "prove";
    const FROM: &'static [AuthorId] = &[AuthorId::Owner];
    type Reply = Option<Proof>;
}

impl May<Prove> for Owner {}

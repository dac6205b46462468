//! Calls: signed questions over request and reply.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Author, AuthorId, Digest, Owner, Time};

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
pub trait CanCall<C: Call>: Author {}

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
pub const CALLS: &[CallSpec] = &[spec::<Prove>(), spec::<Halt>()];

const fn spec<C: Call>() -> CallSpec {
    CallSpec {
        to: C::TO,
        verb: C::VERB,
        from: C::FROM,
    }
}

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

impl CanCall<Prove> for Owner {}

/// Orders an executor to stop everything, whatever the stream can take; `halt.ordered` puts it on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// When, by the owner's clock. An order that is older than the last halt or resume on record counts no more.
    pub at: Time,
}

/// What an executor does after a halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halted {
    /// Whether it starts nothing more.
    pub halted: bool,
    /// How many actions still run.
    pub running: u32,
}

impl Call for Halt {
    const TO: AuthorId = AuthorId::Runner;
    const VERB: &'static str = "halt";
    const FROM: &'static [AuthorId] = &[AuthorId::Owner];
    type Reply = Halted;
}

impl CanCall<Halt> for Owner {}

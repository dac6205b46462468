//! Calls: signed requests over NATS request and reply.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    ActionId, Author, AuthorId, AwaitChange, Digest, Egress, Gateway, NotReleased, Owner,
    SecretName, ShowPage, ShownPage, Time,
};

/// A call: subject `call.<callee>.<caller>.<VERB>`.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// The callees; each answers for itself.
    const TO: &'static [AuthorId];
    /// The name of the call.
    const VERB: &'static str;
    /// The authors that may call it.
    const FROM: &'static [AuthorId];
    /// The answer.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// The subject for requests of `caller` to `callee`.
    #[must_use]
    fn subject(callee: AuthorId, caller: AuthorId) -> String {
        format!("call.{callee}.{caller}.{}", Self::VERB)
    }
}

/// The right of an author to call `C`.
pub trait CanCall<C: Call>: Author {}

/// The table's entry for one call.
#[derive(Debug, Clone, Copy)]
pub struct CallSpec {
    /// The callees.
    pub to: &'static [AuthorId],
    /// The name of the call.
    pub verb: &'static str,
    /// The authors that may call it.
    pub from: &'static [AuthorId],
}

/// All calls.
pub const CALLS: &[CallSpec] = &[
    spec::<Prove>(),
    spec::<Halt>(),
    spec::<Release>(),
    spec::<Renew>(),
    spec::<ShowPage>(),
    spec::<AwaitChange>(),
];

const fn spec<C: Call>() -> CallSpec {
    CallSpec {
        to: C::TO,
        verb: C::VERB,
        from: C::FROM,
    }
}

/// Requests the proof that one message is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prove {
    /// Its place in the stream.
    pub seq: u64,
}

/// An inclusion proof under the newest checkpoint; `None` in the reply if the log does not cover the message.
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
    const TO: &'static [AuthorId] = &[AuthorId::Audit];
    const VERB: &'static str = "prove";
    const FROM: &'static [AuthorId] = &[AuthorId::Owner];
    type Reply = Option<Proof>;
}

impl CanCall<Prove> for Owner {}

/// Orders an executor to stop everything, even if the stream is full; `halt.ordered` records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// The time by the owner's clock. An order that is older than the last recorded halt or resume is ignored.
    pub at: Time,
}

/// The state of an executor after a halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halted {
    /// True if it starts no more actions.
    pub halted: bool,
    /// The number of actions that still run.
    pub running: u32,
}

impl Call for Halt {
    const TO: &'static [AuthorId] = &[AuthorId::Runner, AuthorId::Egress];
    const VERB: &'static str = "halt";
    const FROM: &'static [AuthorId] = &[AuthorId::Owner];
    type Reply = Halted;
}

impl CanCall<Halt> for Owner {}

/// Requests a secret for a claimed action. The broker answers the same request again in the same way, until the action
/// ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The action that the caller claimed.
    pub action: ActionId,
    /// The secret.
    pub secret: SecretName,
}

/// A secret without its outer seal, which only egress can open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedSecret {
    /// Its version.
    pub version: u32,
    /// Its terms with the value in the inner seal.
    #[serde(with = "crate::id::hex_as_text")]
    pub sealed: Vec<u8>,
}

impl Call for Release {
    const TO: &'static [AuthorId] = &[AuthorId::Broker];
    const VERB: &'static str = "release";
    const FROM: &'static [AuthorId] = &[AuthorId::Egress];
    type Reply = Result<ReleasedSecret, NotReleased>;
}

impl CanCall<Release> for Egress {}

/// Hands in the refresh token that takes the place of a released secret, sealed to egress itself under the same terms. The broker
/// answers after it is on record; the same request again has the same answer, until the action ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The action that the secret was released for.
    pub action: ActionId,
    /// The secret.
    pub secret: SecretName,
    /// Its version.
    pub version: u32,
    /// Its terms with the value in the inner seal.
    #[serde(with = "crate::id::hex_as_text")]
    pub sealed: Vec<u8>,
}

impl Call for Renew {
    const TO: &'static [AuthorId] = &[AuthorId::Broker];
    const VERB: &'static str = "renew";
    const FROM: &'static [AuthorId] = &[AuthorId::Egress];
    type Reply = Result<(), NotReleased>;
}

impl CanCall<Renew> for Egress {}

impl Call for ShowPage {
    const TO: &'static [AuthorId] = &[AuthorId::Ui];
    const VERB: &'static str = "page";
    const FROM: &'static [AuthorId] = &[AuthorId::Gateway];
    type Reply = ShownPage;
}

impl CanCall<ShowPage> for Gateway {}

impl Call for AwaitChange {
    const TO: &'static [AuthorId] = &[AuthorId::Ui];
    const VERB: &'static str = "changed";
    const FROM: &'static [AuthorId] = &[AuthorId::Gateway];
    type Reply = u64;
}

impl CanCall<AwaitChange> for Gateway {}

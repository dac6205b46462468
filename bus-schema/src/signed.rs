//! Statements: messages that a person signs and others forward unchanged.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{
    ActionId, Assertion, Challenge, Content, DeploymentId, DeviceId, Digest, PairingId, PublicKey,
    Signature, TaskId, Time, ToolName, wire,
};

/// Most calls of one plan, so that a grant with the statements of all approvers fits into one event.
pub const PLAN_CALLS_MAX: usize = 10;
/// Most bytes of a statement.
pub const STATEMENT_BYTES_MAX: usize = 2048;
/// Most bytes of the values of the slots of a task: 64 KiB.
pub const SLOTS_BYTES_MAX: usize = 64 << 10;

/// A statement's exact bytes with the signature over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    by: PublicKey,
    #[serde(with = "crate::id::hex_as_text")]
    statement: Vec<u8>,
    signature: Signature,
    /// The assertion, if a passkey signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assertion: Option<Assertion>,
}

/// A statement of a person. Each names its deployment, so it is invalid in any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Statement {
    /// An order to do a task.
    Task(TaskStatement),
    /// An approval or denial of a draft grant.
    Approval(ApprovalStatement),
    /// An approval or denial of several draft grants of one task.
    Plan(PlanStatement),
    /// A permission to read from the gateway for a short time.
    Access(AccessStatement),
    /// A call of a session, signed with the session's key.
    Call(CallStatement),
    /// The end of a session, signed with its key.
    End(EndStatement),
    /// The answer of a device to a challenge of the gateway.
    SignIn(SignInStatement),
    /// The announcement that a device may be paired, or its end.
    Pairing(PairingStatement),
    /// Further words of the owner to a dialogue.
    Said(SaidStatement),
    /// The owner's answer to a request for another contract of a task.
    Amend(AmendStatement),
}

/// A task: a playbook, a session or a dialogue under a contract, and the values of its slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The task's id, chosen by the person's program; used once.
    pub task: TaskId,
    /// The contract it runs under.
    pub contract: Digest,
    /// The playbook (TOML), or what the person wants of a session or a dialogue (text), put into `BLOBS` by the gateway.
    pub playbook: Content,
    /// The values of the contract's slots (canonical JSON), put into `BLOBS` by the gateway; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<Content>,
    /// The key that signs the calls of a session; absent for a task with a playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<PublicKey>,
    /// The document of a dialogue (JSON), put into `BLOBS` by the gateway: the model that works on the words in `playbook`,
    /// and the tools that it is offered. Absent for any other task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialogue: Option<Content>,
    /// The time of signing, by the person's clock.
    pub at: Time,
}

/// One call of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The session.
    pub task: TaskId,
    /// The number of the call in the session, from 0; the engine takes each number once.
    pub number: u16,
    /// The tool.
    pub tool: ToolName,
    /// The arguments (canonical JSON), put into `BLOBS` by the gateway.
    pub args: Content,
}

/// The end of a session, or of a dialogue that waits for words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The session or the dialogue.
    pub task: TaskId,
}

/// Further words of the owner to a dialogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaidStatement {
    /// The deployment in which they are valid.
    pub deployment: DeploymentId,
    /// The dialogue.
    pub task: TaskId,
    /// The number of these words, from 0; only the next number counts, so none are repeated, left out or said in another order.
    pub number: u16,
    /// The words (text), put into `BLOBS` by the gateway.
    pub words: Content,
    /// The time of signing, by the person's clock.
    pub at: Time,
}

/// The owner's answer to a request for another contract of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmendStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The task.
    pub task: TaskId,
    /// The number of the request, from 0.
    pub request: u16,
    /// The contract that the task is under.
    pub from: Digest,
    /// The contract under which it goes on; absent if the owner refuses the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// The time of signing, by the person's clock.
    pub at: Time,
}

/// An approval or denial of exactly one draft grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The task of the action.
    pub task: TaskId,
    /// The action.
    pub action: ActionId,
    /// The contract the draft was made under.
    pub contract: Digest,
    /// SHA-256 of the draft grant's bytes.
    pub draft: Digest,
    /// True for an approval, false for a denial.
    pub approve: bool,
    /// The time of signing, by the person's clock.
    pub at: Time,
}

/// An approval or denial of several draft grants of one task. Each is still granted, counted and claimed by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The task of the actions.
    pub task: TaskId,
    /// The contract the drafts were made under.
    pub contract: Digest,
    /// SHA-256 of each draft grant's bytes, at most [`PLAN_CALLS_MAX`].
    pub drafts: Vec<Digest>,
    /// True for an approval, false for a denial.
    pub approve: bool,
    /// The time of signing, by the person's clock.
    pub at: Time,
}

/// A short-lived permission to read from the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The expiry, by the gateway's clock.
    pub until: Time,
}

/// The answer of a device to a challenge of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The device.
    pub device: DeviceId,
    /// The challenge, used once.
    pub challenge: Challenge,
    /// The gateway's origin as the device sees it, so that no other host can pass the statement on.
    pub origin: String,
}

/// The announcement that a device may be paired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairingStatement {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The pairing.
    pub pairing: PairingId,
    /// The end, by the gateway's clock; a moment in the past ends it.
    pub until: Time,
}

/// The reason why a statement is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// Too long, or not a statement.
    #[error("the statement is malformed")]
    Malformed,
    /// Signed by a key that is not trusted here.
    #[error("the statement is signed by a key that is not trusted here")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the statement's signature does not verify")]
    BadSignature,
}

impl Signed {
    /// Signs `statement`.
    #[must_use]
    pub fn new(statement: &Statement, key: &SigningKey) -> Self {
        let statement = wire::encode(statement);
        let signature = Signature::new(key.sign(&statement).to_bytes());
        Self {
            by: PublicKey::new(key.verifying_key().to_bytes()),
            statement,
            signature,
            assertion: None,
        }
    }

    /// The key that it claims to be signed with; unproven before [`Signed::open`].
    #[must_use]
    pub const fn by(&self) -> PublicKey {
        self.by
    }

    /// Returns true if a passkey made it, which verified its person; unproven before [`Signed::open`].
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.assertion.is_some()
    }

    /// Returns the statement if `trusted` signed it.
    ///
    /// # Errors
    /// Names the check that failed; after any failure the statement does not count.
    pub fn open(&self, trusted: &PublicKey) -> Result<Statement, NotSigned> {
        if self.by != *trusted {
            return Err(NotSigned::UnknownKey);
        }
        if self.statement.len() > STATEMENT_BYTES_MAX {
            return Err(NotSigned::Malformed);
        }
        let (bytes, signature) = (&self.statement, &self.signature);
        let is_signed = match &self.assertion {
            Some(assertion) => assertion.verify(trusted, bytes, signature),
            None => verify(trusted, bytes, signature),
        };
        if !is_signed {
            return Err(NotSigned::BadSignature);
        }
        wire::decode(&self.statement).map_err(|_| NotSigned::Malformed)
    }
}

/// Returns true if `signature` is `key`'s over exactly `bytes`; refuses small-order keys and non-canonical signatures.
#[must_use]
pub fn verify(key: &PublicKey, bytes: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    VerifyingKey::from_bytes(key.as_bytes())
        .is_ok_and(|key| key.verify_strict(bytes, &signature).is_ok())
}

//! Statements: what a person signs, carried by others who cannot change it.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{ActionId, Content, DeploymentId, Digest, PublicKey, Signature, TaskId, Time, wire};

/// Most bytes of a statement.
pub const STATEMENT_BYTES_MAX: usize = 2048;

/// A statement's exact bytes with the signature over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    by: PublicKey,
    #[serde(with = "crate::id::hex_as_text")]
    statement: Vec<u8>,
    signature: Signature,
}

/// What a person can say. The deployment stands in each, so none can be carried to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Statement {
    /// Do this task.
    Task(TaskStatement),
    /// This draft grant may, or may not, become a grant.
    Approval(ApprovalStatement),
    /// The bearer may read from the gateway for a short time.
    Access(AccessStatement),
}

/// A task: which playbook under which contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskStatement {
    /// Where it holds.
    pub deployment: DeploymentId,
    /// The task's id, chosen by the person's program; used once.
    pub task: TaskId,
    /// The contract it runs under.
    pub contract: Digest,
    /// The playbook (TOML), put into `BLOBS` by the gateway.
    pub playbook: Content,
    /// When it was signed, by the person's clock.
    pub at: Time,
}

/// Yes or no to exactly one draft grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalStatement {
    /// Where it holds.
    pub deployment: DeploymentId,
    /// The task of the action.
    pub task: TaskId,
    /// The action.
    pub action: ActionId,
    /// The contract the draft was made under.
    pub contract: Digest,
    /// SHA-256 of the draft grant's bytes.
    pub draft: Digest,
    /// Whether it may happen.
    pub approve: bool,
    /// When it was signed, by the person's clock.
    pub at: Time,
}

/// A short-lived right to read from the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessStatement {
    /// Where it holds.
    pub deployment: DeploymentId,
    /// Until when, by the gateway's clock.
    pub until: Time,
}

/// Why a statement is not taken.
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
        }
    }

    /// Whose signature it claims to have; nothing is known before [`Signed::open`].
    #[must_use]
    pub const fn by(&self) -> PublicKey {
        self.by
    }

    /// The statement, if `trusted` signed it.
    ///
    /// # Errors
    /// Says which check failed; every one of them means it was never said.
    pub fn open(&self, trusted: &PublicKey) -> Result<Statement, NotSigned> {
        if self.by != *trusted {
            return Err(NotSigned::UnknownKey);
        }
        if self.statement.len() > STATEMENT_BYTES_MAX {
            return Err(NotSigned::Malformed);
        }
        if !verify(trusted, &self.statement, &self.signature) {
            return Err(NotSigned::BadSignature);
        }
        wire::decode(&self.statement).map_err(|_| NotSigned::Malformed)
    }
}

/// Whether `signature` is `key`'s over exactly `bytes`; small-order keys and non-canonical signatures are not.
#[must_use]
pub fn verify(key: &PublicKey, bytes: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    VerifyingKey::from_bytes(key.as_bytes())
        .is_ok_and(|key| key.verify_strict(bytes, &signature).is_ok())
}

//! The JSON of the HTTP interface, as the gateway and the command line both read and write it.

use bus_schema::{ActionId, Digest, RefusalCode, Sealed, Signed, TaskId, TaskOutcome, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The scheme of the header `Authorization`: base64 of a signed [`bus_schema::AccessStatement`] follows.
pub const SCHEME: &str = "Contractual";
/// The header with a content's salt, 64 hexadecimal digits: whoever reads it can check the digest.
pub const SALT_HEADER: &str = "contractual-salt";
/// Furthest ahead that the end of an access may lie.
pub const ACCESS_MS_MAX: u64 = 120_000;
/// Most bytes of a playbook.
pub const PLAYBOOK_BYTES_MAX: usize = 256 << 10;
/// Most bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 512 << 10;
/// Most bytes of a signed statement with its envelope.
pub const SIGNED_BYTES_MAX: usize = bus_schema::STATEMENT_BYTES_MAX + 256;

/// `POST /v1/tasks`: a task, and the playbook that it names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitTask {
    /// Base64 of the MessagePack of a [`Signed`] task statement.
    #[serde(with = "signed")]
    pub signed: Signed,
    /// Base64 of the 32 bytes of salt and the playbook.
    #[serde(with = "sealed")]
    pub playbook: Sealed,
}

/// The answer to it: the task is on the bus; policy has not yet said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    /// The task.
    pub task: TaskId,
    /// The place of `task.submitted` in the stream.
    pub seq: u64,
}

/// `POST /v1/approvals`: a person's yes or no.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryApproval {
    /// Base64 of the MessagePack of a [`Signed`] approval statement.
    #[serde(with = "signed")]
    pub signed: Signed,
}

/// The answer to it: the statement is on the bus; policy has not yet said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// The task.
    pub task: TaskId,
    /// The action.
    pub action: ActionId,
    /// The place of `approval.carried` in the stream.
    pub seq: u64,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Policy has not yet said anything.
    Submitted,
    /// It may propose.
    Admitted,
    /// Policy did not take it.
    Rejected,
    /// It has proposed.
    Running,
    /// It is over.
    Finished,
}

/// A task in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The task.
    pub task: TaskId,
    /// The place of `task.submitted` in the stream.
    pub seq: u64,
    /// How far it is.
    pub state: TaskState,
    /// How it ended, once it has finished.
    pub outcome: Option<TaskOutcome>,
    /// Why it was rejected, if it was.
    pub refusal: Option<RefusalCode>,
    /// SHA-256 of the contract, once it was admitted.
    pub contract: Option<Digest>,
    /// Actions that were granted.
    pub granted: u32,
    /// Actions that a person was asked about.
    pub asked: u32,
    /// Actions that were refused.
    pub refused: u32,
    /// Actions that started and said nothing in time: nobody knows what became of them.
    pub unknown: u32,
    /// When it was handed in, by bus time.
    pub submitted: Time,
    /// When something was last said about it.
    pub updated: Time,
    /// When it was over.
    pub ended: Option<Time>,
    /// Whether all of its events are kept here; if not, `contractual audit show` has the rest.
    pub complete: bool,
}

/// `GET /v1/tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// Whether the owner has halted everything.
    pub halted: bool,
    /// The newest tasks, newest first.
    pub tasks: Vec<Summary>,
}

/// `GET /v1/tasks/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// In one line.
    pub summary: Summary,
    /// Every event about it, oldest first.
    pub events: Vec<Event>,
}

/// One event; the data of a server-sent event as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its place in the stream.
    pub seq: u64,
    /// When the bus stored it.
    pub stored: Time,
    /// `<noun>.<past-verb>`.
    pub kind: String,
    /// The body as its author signed it, as JSON.
    pub body: Value,
}

impl Event {
    /// Whether its task is over with it.
    #[must_use]
    pub fn ends_task(&self) -> bool {
        matches!(self.kind.as_str(), "task.finished" | "task.rejected")
    }
}

/// `GET /v1/health`, when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healthy {
    /// Always true.
    pub ok: bool,
}

/// An error (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its kind, for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its kind, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what to do next.
    pub detail: String,
}

mod signed {
    use bus_schema::{Signed, wire};
    use data_encoding::BASE64;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(signed: &Signed, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(&wire::encode(signed)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Signed, D::Error> {
        let text = String::deserialize(from)?;
        super::decode_signed(&text).map_err(D::Error::custom)
    }
}

mod sealed {
    use bus_schema::Sealed;
    use data_encoding::BASE64;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(sealed: &Sealed, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(sealed.stored()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sealed, D::Error> {
        let text = String::deserialize(from)?;
        let stored = BASE64.decode(text.as_bytes());
        let stored = stored.map_err(|_| D::Error::custom("the playbook is not padded base64"))?;
        Sealed::from_stored(stored)
            .map_err(|_| D::Error::custom("the playbook does not begin with a salt of 32 bytes"))
    }
}

/// Reads a signed statement out of base64; says what is wrong if it is none.
pub(crate) fn decode_signed(text: &str) -> Result<Signed, &'static str> {
    if text.len() > SIGNED_BYTES_MAX.div_ceil(3) * 4 {
        return Err("the statement is too long");
    }
    let bytes = data_encoding::BASE64.decode(text.as_bytes());
    let bytes = bytes.map_err(|_| "the statement is not padded base64")?;
    bus_schema::wire::decode(&bytes)
        .map_err(|_| "the statement is not the MessagePack of a signed statement")
}

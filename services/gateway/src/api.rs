//! The JSON of the HTTP interface, shared by the gateway and the command line.

mod devices;

use bus_schema::{
    ActionId, Content, ContractName, Digest, JobName, RefusalCode, Sealed, Signed, TaskId,
    TaskOutcome, Time,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use devices::{
    AnnouncePairing, AskChallenge, OfferDevice, OwnerWord, PairingShown, PairingState,
    QuestionShown, SessionChallenge, SessionShown,
};

/// The scheme of the header `Authorization`: base64 of a signed [`bus_schema::AccessStatement`] follows.
pub const SCHEME: &str = "Contractual";
/// The header with a content's salt, 64 hexadecimal digits: readers check the digest with it.
pub const SALT_HEADER: &str = "contractual-salt";
/// The longest validity of an access.
pub const ACCESS_MS_MAX: u64 = 120_000;
/// The maximum size of a playbook.
pub const PLAYBOOK_BYTES_MAX: usize = 256 << 10;
/// The maximum size of the arguments of a call of a session.
pub const ARGS_BYTES_MAX: usize = 64 << 10;
/// The maximum size of the document of a dialogue.
pub const DIALOGUE_BYTES_MAX: usize = 64 << 10;
/// The maximum size of a request's body.
pub const BODY_BYTES_MAX: usize = 512 << 10;
/// The maximum size of a signed statement with its envelope.
pub const SIGNED_BYTES_MAX: usize =
    bus_schema::STATEMENT_BYTES_MAX + bus_schema::ASSERTION_BYTES_MAX + 256;

/// The query of `GET /v1/tasks/{id}/events` of a reader that also wants the pieces of answers.
pub const PIECES_QUERY: &str = "pieces=yes";
/// The name of the events that are pieces.
pub const PIECES: &str = "piece";

/// `POST /v1/tasks`: a task, with the playbook and the slots that it names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitTask {
    /// Base64 of the MessagePack of a [`Signed`] task statement.
    #[serde(with = "signed")]
    pub signed: Signed,
    /// Base64 of the 32 bytes of salt and the playbook.
    #[serde(with = "sealed")]
    pub playbook: Sealed,
    /// Base64 of the 32 bytes of salt and the values of the contract's slots; absent without any.
    #[serde(
        default,
        with = "sealed_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub slots: Option<Sealed>,
    /// Base64 of the 32 bytes of salt and the document of the dialogue; absent for any other task.
    #[serde(
        default,
        with = "sealed_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub dialogue: Option<Sealed>,
}

/// The response: the task is on the bus; policy has not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    /// The task.
    pub task: TaskId,
    /// The sequence number of `task.submitted` in the stream.
    pub seq: u64,
}

/// `POST /v1/approvals`: an approval or a denial.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryApproval {
    /// Base64 of the MessagePack of a [`Signed`] approval statement.
    #[serde(with = "signed")]
    pub signed: Signed,
}

/// `POST /v1/plans`: an approval or a denial of several actions, for one of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryPlan {
    /// The action whose question it answers here.
    pub action: ActionId,
    /// Base64 of the MessagePack of a [`Signed`] plan statement.
    #[serde(with = "signed")]
    pub signed: Signed,
}

/// The response: the statement is on the bus; policy has not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// The task.
    pub task: TaskId,
    /// The action.
    pub action: ActionId,
    /// The sequence number of `approval.carried` in the stream.
    pub seq: u64,
}

/// `POST /v1/calls`: a call of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryCall {
    /// The session.
    pub task: TaskId,
    /// Base64 of the MessagePack of a [`Signed`] call statement.
    #[serde(with = "signed")]
    pub signed: Signed,
    /// Base64 of the 32 bytes of salt and the arguments, canonical JSON.
    #[serde(with = "sealed")]
    pub args: Sealed,
}

/// The response: the call is on the bus; the engine has not proposed it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Called {
    /// The session.
    pub task: TaskId,
    /// The number of the call in the session.
    pub number: u16,
    /// The sequence number of `session.called` in the stream.
    pub seq: u64,
}

/// `POST /v1/ends`: the end of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryEnd {
    /// The session.
    pub task: TaskId,
    /// Base64 of the MessagePack of a [`Signed`] end statement.
    #[serde(with = "signed")]
    pub signed: Signed,
}

/// The response: the end is on the bus; the session ends once no action of it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// The session.
    pub task: TaskId,
    /// The sequence number of `session.ended` in the stream.
    pub seq: u64,
}

/// `POST /v1/words`: further words of the owner to a dialogue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryWords {
    /// Base64 of the MessagePack of a [`Signed`] statement of words.
    #[serde(with = "signed")]
    pub signed: Signed,
    /// Base64 of the 32 bytes of salt and the words.
    #[serde(with = "sealed")]
    pub words: Sealed,
}

/// The response: the words are on the bus; the model reads them with its next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaidWords {
    /// The dialogue.
    pub task: TaskId,
    /// The number of the words in the dialogue.
    pub number: u16,
    /// The sequence number of `task.said` in the stream.
    pub seq: u64,
}

/// The response: the message of a webhook is stored; jobs that wait for `hook.NAME` start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookTaken {
    /// The webhook.
    pub hook: JobName,
    /// The sequence number of the message in the stream of messages from outside.
    pub seq: u64,
}

/// `POST /v1/amendments`: the owner's answer to a request for another contract.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryAmendment {
    /// Base64 of the MessagePack of a [`Signed`] answer.
    #[serde(with = "signed")]
    pub signed: Signed,
}

/// The response: the answer is on the bus; a task moves once the contract that it names is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amended {
    /// The task.
    pub task: TaskId,
    /// The number of the request.
    pub request: u16,
    /// The sequence number of `contract.answered` in the stream.
    pub seq: u64,
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Policy has not answered yet.
    Submitted,
    /// Policy accepted it; it may propose actions.
    Admitted,
    /// Policy rejected it.
    Rejected,
    /// It has proposed an action.
    Running,
    /// It has ended.
    Finished,
}

/// The name and version of a signed contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractLabel {
    /// Its name.
    pub name: ContractName,
    /// Its version.
    pub version: u32,
}

/// A task in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The task.
    pub task: TaskId,
    /// The sequence number of `task.submitted` in the stream.
    pub seq: u64,
    /// The state.
    pub state: TaskState,
    /// The outcome, once it has finished.
    pub outcome: Option<TaskOutcome>,
    /// The reason for the rejection, if it was rejected.
    pub refusal: Option<RefusalCode>,
    /// SHA-256 of the contract, once it was admitted.
    pub contract: Option<Digest>,
    /// The contract's name and version.
    pub label: Option<ContractLabel>,
    /// The playbook, once it was admitted.
    pub playbook: Option<Content>,
    /// The number of questions that wait for an approval.
    pub pending: u32,
    /// The number of granted actions.
    pub granted: u32,
    /// The number of approval requests.
    pub asked: u32,
    /// The number of refused actions.
    pub refused: u32,
    /// The number of actions that started and reported no outcome in time: outcome unknown.
    pub unknown: u32,
    /// The time of submission, by bus time.
    pub submitted: Time,
    /// The time of the last event about it.
    pub updated: Time,
    /// The time of its end.
    pub ended: Option<Time>,
    /// True if all of its events are kept here; otherwise `contractual audit show` has the rest.
    pub complete: bool,
}

/// `GET /v1/tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// True if the owner has halted everything.
    pub halted: bool,
    /// The newest tasks, in descending order.
    pub tasks: Vec<Summary>,
}

/// `GET /v1/tasks/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The summary.
    pub summary: Summary,
    /// The events about it, oldest first.
    pub events: Vec<Event>,
}

/// One event; the data of a server-sent event as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The sequence number in the stream.
    pub seq: u64,
    /// The time at which the bus stored it.
    pub stored: Time,
    /// `<noun>.<past-verb>`.
    pub kind: String,
    /// The body as its author signed it, as JSON.
    pub body: Value,
}

impl Event {
    /// Returns true if this event ends its task.
    #[must_use]
    pub fn ends_task(&self) -> bool {
        matches!(self.kind.as_str(), "task.finished" | "task.rejected")
    }
}

/// `GET /v1/health` of a healthy gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healthy {
    /// Always true.
    pub ok: bool,
}

/// An error (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemBody {
    /// The kind, for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The problem and what to do next.
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
        super::decode_sealed(&text, "the bytes").map_err(D::Error::custom)
    }
}

mod sealed_option {
    use bus_schema::Sealed;
    use data_encoding::BASE64;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        sealed: &Option<Sealed>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let text = sealed.as_ref().map(|sealed| BASE64.encode(sealed.stored()));
        text.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Sealed>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let sealed = text.map(|text| super::decode_sealed(&text, "the values of the slots"));
        sealed.transpose().map_err(D::Error::custom)
    }
}

/// Decodes a salt and bytes from base64; returns the problem if they are invalid.
fn decode_sealed(text: &str, what: &str) -> Result<Sealed, String> {
    let stored = data_encoding::BASE64.decode(text.as_bytes());
    let stored = stored.map_err(|_| format!("{what} are not padded base64"))?;
    let short = |_| format!("{what} do not begin with a salt of 32 bytes");
    Sealed::from_stored(stored).map_err(short)
}

/// Decodes a signed statement from base64 without padding, with `-` and `_`; returns the problem if it is invalid.
pub(crate) fn decode_signed_url(text: &str) -> Result<Signed, &'static str> {
    if text.len() > SIGNED_BYTES_MAX.div_ceil(3) * 4 {
        return Err("the statement is too long");
    }
    let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes());
    let bytes =
        bytes.map_err(|_| "the statement is not base64 with `-` and `_`, without padding")?;
    opened(&bytes)
}

/// Decodes a signed statement from base64; returns the problem if it is invalid.
pub(crate) fn decode_signed(text: &str) -> Result<Signed, &'static str> {
    if text.len() > SIGNED_BYTES_MAX.div_ceil(3) * 4 {
        return Err("the statement is too long");
    }
    let bytes = data_encoding::BASE64.decode(text.as_bytes());
    let bytes = bytes.map_err(|_| "the statement is not padded base64")?;
    opened(&bytes)
}

fn opened(bytes: &[u8]) -> Result<Signed, &'static str> {
    bus_schema::wire::decode(bytes)
        .map_err(|_| "the statement is not the MessagePack of a signed statement")
}

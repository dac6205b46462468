//! Grants: single permissions of policy, and the flat envelope of a contract that executors check them against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ActionId, ArgumentName, AuthorId, Content, DeploymentId, DeviceRefused, Digest, FolderName,
    Money, NotSigned, PublicKey, RuleId, SecretName, Signed, TaskId, Time, ToolName, Version, wire,
};

/// Longest time between the stored times of a grant and of the claim on it.
pub const GRANT_TTL_MS_MAX: u32 = 30_000;
/// Most tools that one envelope names, so that it fits into one event.
pub const ENVELOPE_TOOLS_MAX: usize = 40;
/// Most approvers of a contract, and so of a draft: with their signatures a grant fits into one event.
pub const APPROVERS_MAX: usize = 8;

/// The limits of a contract, without its conditions: small enough for the event that the owner signs, and simple
/// enough that an executor can check a grant against it in one pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Nothing is claimed after this moment of bus time.
    pub expires: Time,
    /// The tools it names; no other may run.
    pub tools: Vec<EnvelopeTool>,
    /// Longest wall time of one action.
    pub wall_ms_max: u32,
    /// Most bytes of one action's output.
    pub output_bytes_max: u32,
    /// Hosts that may be reached: names, with a port if it is not 443.
    pub hosts: Vec<String>,
    /// Networks in which these may be, although nothing is sent there otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Secrets that may be used.
    pub secrets: Vec<SecretName>,
    /// The keys that may approve beside the owner's.
    pub approvers: Vec<PublicKey>,
    /// The folders in which its calls act.
    #[serde(default, skip_serializing_if = "ContractFolders::are_default")]
    pub folders: ContractFolders,
}

/// The folders of the runner in which the calls of a contract act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractFolders {
    /// The workspace; [`ContractFolders::MAIN`] if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<FolderName>,
    /// The folders that they may read besides, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<FolderName>,
}

impl ContractFolders {
    /// The name of the workspace of a contract that names none.
    pub const MAIN: &str = "main";

    /// Returns true for a contract that acts in the main workspace alone.
    #[must_use]
    pub const fn are_default(&self) -> bool {
        self.workspace.is_none() && self.read.is_empty()
    }
}

/// The versions that a contract was read with when the owner signed it: with others, its text may mean something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// The version of the contract language.
    pub language: u16,
    /// The version of the program that read it; an older one may have a flaw that was fixed later.
    pub policy: Version,
    /// SHA-256 of the canonical JSON of the whole tool catalogue.
    pub catalogue: Digest,
    /// The catalogue's entries of the tools that the envelope names (a JSON array). The envelope has the digest of each
    /// entry, so any copy can be checked.
    pub tools: Content,
}

/// One tool of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeTool {
    /// Its name.
    pub name: ToolName,
    /// The digest of its catalogue entry: another description, schema or program is another tool.
    pub digest: Digest,
    /// The need for an approval of each use.
    pub ask: Ask,
    /// Most uses in one task.
    pub calls: u32,
}

/// The need for an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// The contract itself is the approval.
    Never,
    /// It depends on the arguments, which only policy checks.
    Sometimes,
    /// Each use; an executor refuses a grant without the signature.
    Always,
}

/// A grant before its approvals: exactly this action, once, on its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftGrant {
    /// The deployment in which it is valid.
    pub deployment: DeploymentId,
    /// The task.
    pub task: TaskId,
    /// The proposed action.
    pub action: ActionId,
    /// The contract that allows it.
    pub contract: Digest,
    /// The rule of the contract that allows it.
    pub rule: RuleId,
    /// The tool.
    pub tool: ToolName,
    /// The digest of the tool's catalogue entry.
    pub tool_digest: Digest,
    /// The arguments, canonical JSON (RFC 8785), as the proposer put them into `BLOBS`.
    pub args: Content,
    /// The author that put the arguments there.
    pub args_by: AuthorId,
    /// The author that may claim it.
    pub audience: AuthorId,
    /// The time from the grant's stored time to the claim's, at most [`GRANT_TTL_MS_MAX`].
    pub ttl_ms: u32,
    /// Longest wall time.
    pub wall_ms: u32,
    /// Most bytes of output.
    pub output_bytes_max: u32,
    /// Secrets that may be released for it.
    pub secrets: Vec<SecretName>,
    /// The amounts that it adds to the contract's counters.
    pub counts: Counts,
    /// True if contract, owner's words and trusted results determined its arguments, or if the task had read only trusted
    /// data; its result can then determine arguments of later calls.
    #[serde(default, skip_serializing_if = "is_false")]
    pub determined: bool,
    /// The request for approvals, if they are needed.
    pub asked: Option<Asked>,
}

/// The amounts that an action counts beside its time and output: typed, so that counting needs no arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Tokens of a model that are reserved for it.
    pub tokens: u64,
    /// Bytes of its arguments, if it sends data out and the contract limits that.
    pub bytes_out: u64,
    /// True if data leaves the owner's reach.
    pub outward: bool,
    /// Money that it moves.
    pub spend: Option<Money>,
    /// The arguments that its rule sums, in ten-thousandths.
    pub sums: BTreeMap<ArgumentName, u64>,
}

/// A request for approvals: the approvers, the quorum and the deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The keys that may approve, each once.
    pub approvers: Vec<PublicKey>,
    /// The number of approvals that it needs.
    pub quorum: u8,
    /// The last moment of bus time at which it may be granted.
    pub until: Time,
    /// More approvers if these do not answer in time.
    pub escalation: Option<Escalated>,
    /// True if a person has to answer at a terminal: programs refuse to sign without one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub attended: bool,
    /// True if only a passkey may approve, which verifies its person each time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verified: bool,
}

/// Returns true for a value that is left out of the bytes.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Approvers that are added after some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalated {
    /// The keys that may answer, too.
    pub approvers: Vec<PublicKey>,
    /// The moment of bus time from which their answers count.
    pub from: Time,
}

/// The answer of one approver to a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The approver; the owner if a device of the owner signed it.
    pub by: PublicKey,
    /// True for an approval, false for a denial.
    pub yes: bool,
    /// The moment from which it counts.
    pub from: Time,
}

/// A draft with the signatures of its approvers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The draft that is granted.
    pub draft: DraftGrant,
    /// The approvals that it needed, each of another person.
    pub approvals: Vec<Signed>,
}

/// The reason why an executor declines a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutsideEnvelope {
    /// The contract that the owner signed has expired.
    #[error("the contract has expired")]
    Expired,
    /// The contract does not name the tool.
    #[error("the contract does not name this tool")]
    Tool,
    /// The contract names the tool, but the tool has changed since the owner signed.
    #[error("the tool is not the one that the owner signed")]
    ToolChanged,
    /// Its time or output limit is above the contract's.
    #[error("the grant exceeds the contract's limits")]
    Limits,
    /// The contract's number of calls of the tool is used up.
    #[error("the contract's number of calls is used up")]
    Calls,
    /// The contract does not name a secret.
    #[error("the contract does not name this secret")]
    Secret,
    /// An approval is needed and missing.
    #[error("the grant needs an approval that is missing")]
    ApprovalMissing,
    /// An approval is for something else.
    #[error("the approval is not for this grant")]
    ApprovalDiffers,
    /// An approval is for a draft under another contract, or another version of it.
    #[error("the approval is for another contract")]
    ApprovalContract,
    /// The deadline for approvals has passed.
    #[error("the deadline for approvals has passed")]
    ApprovalExpired,
    /// An approver of the draft is not an approver of the contract.
    #[error("the contract does not name one of the approvers")]
    Approver,
    /// The approval is not genuine.
    #[error("the approval is not genuine")]
    Approval(#[from] NotSigned),
    /// The device that signed the approval may not approve.
    #[error("the approval is of a device that may not give it")]
    Device(#[from] DeviceRefused),
}

impl DraftGrant {
    /// SHA-256 over the draft's encoding, which approvers sign.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[&wire::encode(self)])
    }
}

//! The kinds of refusals.

use serde::{Deserialize, Serialize};

/// The kind of a refusal. The set is closed, so that programs can act on it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No contract of that digest is in force.
    #[error("no such contract is in force")]
    NoContract,
    /// The contract's document cannot be read or is not valid.
    #[error("the contract is not valid")]
    InvalidContract,
    /// The document differs from what the owner's event says of it.
    #[error("the contract's envelope does not follow from its document")]
    EnvelopeDiffers,
    /// A contract of that name with this or a higher version is in force.
    #[error("this or a newer version of the contract is in force")]
    NotNewer,
    /// Its tools, or the versions of its readers, have changed since the owner signed it.
    #[error("the contract is suspended until the owner signs it again")]
    Suspended,
    /// The contract has expired.
    #[error("the contract has expired")]
    Expired,
    /// The statement is not genuine, or was made for something else.
    #[error("the statement is not genuine or is about something else")]
    BadStatement,
    /// The id was used before.
    #[error("the id was used before")]
    Reused,
    /// The owner cancelled the task, or policy stopped the run of a job.
    #[error("the task was cancelled")]
    Cancelled,
    /// The proposer is not the author that runs the task.
    #[error("the task is not open to this author")]
    NotOpen,
    /// The owner signed no tool catalogue yet, or the newest one cannot be read.
    #[error("no usable tool catalogue is signed")]
    NoCatalogue,
    /// The catalogue lacks the tool, or the tool differs from the signed one.
    #[error("the tool is unknown or has changed since the contract was signed")]
    Tool,
    /// The arguments are unreadable, not in canonical form, or do not match the tool's schema.
    #[error("the arguments do not fit the tool")]
    Arguments,
    /// A `deny` rule matches.
    #[error("the contract denies it")]
    Denied,
    /// No `allow` or `ask` rule matches.
    #[error("the contract does not allow it")]
    NotAllowed,
    /// A limit of the contract is used up.
    #[error("a limit of the contract is used up")]
    Limit,
    /// A person denied it.
    #[error("the owner said no")]
    SaidNo,
    /// The request expired before enough approvals came.
    #[error("the request expired before it was approved")]
    ApprovalExpired,
    /// The signer of the statement is not one of the approvers.
    #[error("the statement's signer is not an approver of this request")]
    ApproverUnknown,
    /// The statement is about another draft, with other arguments, another tool or other limits.
    #[error("the approval is for a different draft than the request")]
    ApprovalDiffers,
    /// The statement was made under another contract, or another version of it.
    #[error("the approval was given under another contract")]
    ApprovalOtherContract,
    /// The same person has answered before.
    #[error("this person has answered already")]
    ApprovalUsed,
    /// The action was approved already, or needs no approval.
    #[error("this action has no pending approval")]
    ApprovalNotOpen,
    /// Everything is halted.
    #[error("everything is halted")]
    Halted,
    /// The grant is outside the envelope that the owner signed.
    #[error("the grant is outside the envelope that the owner signed")]
    OutsideEnvelope,
    /// The grant reached its executor too late.
    #[error("the grant came too late")]
    TooLate,
    /// The executor cannot set up the tool's sandbox.
    #[error("the tool's isolation cannot be set up")]
    NoCage,
    /// The statement was made about another action.
    #[error("the approval was given for another action")]
    ApprovalOtherAction,
    /// The owner revoked the device that signed the statement.
    #[error("the device that signed the approval was revoked")]
    DeviceRevoked,
    /// The endorsement of the device that signed the statement has expired.
    #[error("the endorsement of the device that signed the approval has expired")]
    DeviceExpired,
    /// The role of the device that signed the statement does not permit approvals.
    #[error("the device that signed the approval may only read")]
    DeviceRole,
    /// The question demands a passkey.
    #[error("only a passkey may approve this")]
    DeviceUnverified,
    /// No such job is in force: it is unknown, was revoked, has another version, or is paused.
    #[error("no such job is in force")]
    NoJob,
    /// The document of the job cannot be read or is not valid.
    #[error("the job is not valid")]
    InvalidJob,
    /// The job has no run of this cause: no such slot, or no such order of the owner.
    #[error("the job has no such run")]
    NoRun,
    /// A run of a job asked for a tool that only people may use.
    #[error("jobs may not use this tool")]
    JobTool,
    /// The values of the slots do not fit the contract: one is missing, unknown, or of another kind.
    #[error("the values of the slots do not fit the contract")]
    Slots,
}

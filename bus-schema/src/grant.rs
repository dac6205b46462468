//! Grants: what policy allows once, and the flat envelope of a contract that everybody who acts checks it against.

use serde::{Deserialize, Serialize};

use crate::{
    ActionId, AuthorId, Content, DeploymentId, Digest, NotSigned, PublicKey, RuleId, SecretName,
    Signed, Statement, TaskId, Time, ToolName, wire,
};

/// Longest time between the stored times of a grant and of the claim on it.
pub const GRANT_TTL_MS_MAX: u32 = 30_000;
/// How long after the wall time of an action its outcome may still be stored before it is unknown.
pub const OUTCOME_GRACE_MS: u32 = 5_000;
/// Most tools that one envelope names, so that it fits into one event.
pub const ENVELOPE_TOOLS_MAX: usize = 40;

/// What a contract allows at most, without its conditions: small enough to stand in the event that the
/// owner signs, and simple enough that an executor can check a grant against it in one pass.
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
    /// Hosts that may be reached.
    pub hosts: Vec<String>,
    /// Secrets that may be used.
    pub secrets: Vec<SecretName>,
}

/// One tool of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeTool {
    /// Its name.
    pub name: ToolName,
    /// The digest of its catalogue entry: another description, schema or program is another tool.
    pub digest: Digest,
    /// Whether a person has to say yes to each use.
    pub ask: Ask,
    /// Most uses in one task.
    pub calls: u32,
}

/// Whether a person has to say yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// The contract itself is the yes.
    Never,
    /// It depends on the arguments, which policy alone judges.
    Sometimes,
    /// Each time; an executor refuses a grant without the signature.
    Always,
}

/// What would be granted: exactly this, once, on its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftGrant {
    /// Where it holds.
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
    /// Who put the arguments there.
    pub args_by: AuthorId,
    /// Who may claim it.
    pub audience: AuthorId,
    /// From the grant's stored time to the claim's, at most [`GRANT_TTL_MS_MAX`].
    pub ttl_ms: u32,
    /// Longest run.
    pub wall_ms: u32,
    /// Most bytes of output.
    pub output_bytes_max: u32,
    /// Secrets that may be released for it.
    pub secrets: Vec<SecretName>,
}

/// A draft, and the person's signature where the contract asks for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What is granted.
    pub draft: DraftGrant,
    /// The approval that lifted the ask.
    pub approval: Option<Signed>,
}

/// Why a grant is not honoured by the one who would act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutsideEnvelope {
    /// The contract that the owner signed has expired.
    #[error("the contract has expired")]
    Expired,
    /// The tool is not named.
    #[error("the contract does not name this tool")]
    Tool,
    /// The tool is named, but is not the one that was signed.
    #[error("the tool is not the one that the owner signed")]
    ToolChanged,
    /// It may run longer, or answer with more, than the contract says.
    #[error("the grant exceeds the contract's limits")]
    Limits,
    /// The tool was used as often as the contract says.
    #[error("the contract's number of calls is used up")]
    Calls,
    /// A secret is not named.
    #[error("the contract does not name this secret")]
    Secret,
    /// A person must say yes and did not.
    #[error("the grant needs an approval that is missing")]
    ApprovalMissing,
    /// There is an approval, but not of this.
    #[error("the approval is not for this grant")]
    ApprovalDiffers,
    /// The approval is not genuine.
    #[error("the approval is not genuine")]
    Approval(#[from] NotSigned),
}

impl DraftGrant {
    /// SHA-256 over the draft's encoding: what a person signs.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[&wire::encode(self)])
    }
}

impl Grant {
    /// Whether `statement` is `owner`'s yes to exactly this draft.
    ///
    /// # Errors
    /// Says why it is not.
    pub fn check_approval(
        draft: &DraftGrant,
        statement: &Signed,
        owner: &PublicKey,
    ) -> Result<(), OutsideEnvelope> {
        let Statement::Approval(said) = statement.open(owner)? else {
            return Err(OutsideEnvelope::ApprovalDiffers);
        };
        let same = said.approve
            && said.deployment == draft.deployment
            && said.task == draft.task
            && said.action == draft.action
            && said.contract == draft.contract
            && said.draft == draft.digest();
        if same {
            Ok(())
        } else {
            Err(OutsideEnvelope::ApprovalDiffers)
        }
    }

    /// Whether this grant lies inside `envelope`, which `owner` signed, given how often the tool was used in
    /// the task and the bus time of the grant.
    ///
    /// # Errors
    /// The first limit it exceeds.
    pub fn check_envelope(
        &self,
        envelope: &Envelope,
        owner: &PublicKey,
        used: u32,
        stored: Time,
    ) -> Result<(), OutsideEnvelope> {
        let draft = &self.draft;
        if stored >= envelope.expires {
            return Err(OutsideEnvelope::Expired);
        }
        let tool = envelope
            .tools
            .iter()
            .find(|tool| tool.name == draft.tool)
            .ok_or(OutsideEnvelope::Tool)?;
        if tool.digest != draft.tool_digest {
            return Err(OutsideEnvelope::ToolChanged);
        }
        let limits = draft.ttl_ms <= GRANT_TTL_MS_MAX
            && draft.wall_ms <= envelope.wall_ms_max
            && draft.output_bytes_max <= envelope.output_bytes_max;
        if !limits {
            return Err(OutsideEnvelope::Limits);
        }
        if used >= tool.calls {
            return Err(OutsideEnvelope::Calls);
        }
        if !draft
            .secrets
            .iter()
            .all(|secret| envelope.secrets.contains(secret))
        {
            return Err(OutsideEnvelope::Secret);
        }
        match (&self.approval, tool.ask) {
            (None, Ask::Always) => Err(OutsideEnvelope::ApprovalMissing),
            (None, Ask::Never | Ask::Sometimes) => Ok(()),
            (Some(statement), _) => Self::check_approval(draft, statement, owner),
        }
    }
}

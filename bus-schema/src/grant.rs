//! Grants: what policy allows once, and the flat envelope of a contract that everybody who acts checks it against.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ActionId, ArgumentName, AuthorId, Content, DeploymentId, Digest, Money, NotSigned, PublicKey,
    RuleId, SecretName, Signed, Statement, TaskId, Time, ToolName, Version, wire,
};

/// Longest time between the stored times of a grant and of the claim on it.
pub const GRANT_TTL_MS_MAX: u32 = 30_000;
/// How long after the wall time of an action its outcome may still be stored before it is unknown.
pub const OUTCOME_GRACE_MS: u32 = 5_000;
/// Most tools that one envelope names, so that it fits into one event.
pub const ENVELOPE_TOOLS_MAX: usize = 40;
/// Most people whom a contract, and so a draft, can ask: with their signatures a grant fits into one event.
pub const APPROVERS_MAX: usize = 8;

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
    /// Whose yes counts beside the owner's.
    pub approvers: Vec<PublicKey>,
}

/// By what a contract was read when the owner signed it: read by anything else, the same text may mean something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// The version of the contract language.
    pub language: u16,
    /// The version of the program that read it; an older one may have a flaw that was put right since.
    pub policy: Version,
    /// SHA-256 of the canonical JSON of the whole tool catalogue.
    pub catalogue: Digest,
    /// The catalogue's entries of the tools that the envelope names (a JSON array). Each has the digest that the
    /// envelope gives to its tool, so that any copy can be checked.
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
    /// What it counts for.
    pub counts: Counts,
    /// Who is asked first, if anybody is.
    pub asked: Option<Asked>,
}

/// What an action counts for beside its time and output: typed here, so that nobody needs its arguments to count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Tokens of a model that are reserved for it.
    pub tokens: u64,
    /// Bytes of its arguments, if something leaves with them and the contract limits that.
    pub bytes_out: u64,
    /// Whether something leaves the owner's reach.
    pub outward: bool,
    /// Money that it moves.
    pub spend: Option<Money>,
    /// The arguments that its rule sums, in ten-thousandths.
    pub sums: BTreeMap<ArgumentName, u64>,
}

/// Who is asked, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Whose yes counts, once for each key.
    pub approvers: Vec<PublicKey>,
    /// How many have to say yes.
    pub quorum: u8,
    /// The last moment of bus time at which it may be granted.
    pub until: Time,
    /// Who is asked as well when they keep silent.
    pub escalation: Option<Escalated>,
}

/// Who is asked as well after some silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalated {
    /// Whose answer counts, too.
    pub approvers: Vec<PublicKey>,
    /// From this moment of bus time on.
    pub from: Time,
}

/// What one of those who are asked says to a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Who.
    pub by: PublicKey,
    /// Yes or no.
    pub yes: bool,
    /// The moment from which it counts.
    pub from: Time,
}

/// A draft, and the signatures of those who were asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What is granted.
    pub draft: DraftGrant,
    /// The approvals that lifted the ask, each of another person.
    pub approvals: Vec<Signed>,
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
    /// There is an approval, but of a draft under another contract, or another version of it.
    #[error("the approval is for another contract")]
    ApprovalContract,
    /// The time in which it could be approved is over.
    #[error("the time for an approval is over")]
    ApprovalExpired,
    /// Somebody is asked who has no say under this contract.
    #[error("somebody is asked whom the contract does not name")]
    Approver,
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

    /// What `statement` says to exactly this draft.
    ///
    /// # Errors
    /// Says why it is no answer to it.
    pub fn answer(&self, statement: &Signed) -> Result<Answer, OutsideEnvelope> {
        let by = statement.by();
        let asked = self.asked.as_ref();
        let from = asked.and_then(|asked| asked.from(&by));
        let from = from.ok_or(NotSigned::UnknownKey)?;
        let Statement::Approval(said) = statement.open(&by)? else {
            return Err(OutsideEnvelope::ApprovalDiffers);
        };
        if said.contract != self.contract {
            return Err(OutsideEnvelope::ApprovalContract);
        }
        let same = said.deployment == self.deployment
            && said.task == self.task
            && said.action == self.action
            && said.draft == self.digest();
        if same {
            let yes = said.approve;
            Ok(Answer { by, yes, from })
        } else {
            Err(OutsideEnvelope::ApprovalDiffers)
        }
    }
}

impl Asked {
    /// The moment from which the answer of `key` counts; none if it never does.
    fn from(&self, key: &PublicKey) -> Option<Time> {
        if self.approvers.contains(key) {
            return Some(Time::default());
        }
        let later = self.escalation.as_ref()?;
        later.approvers.contains(key).then_some(later.from)
    }
}

impl Grant {
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
        match (&draft.asked, tool.ask) {
            (None, Ask::Always) => Err(OutsideEnvelope::ApprovalMissing),
            (None, Ask::Never | Ask::Sometimes) if self.approvals.is_empty() => Ok(()),
            (None, Ask::Never | Ask::Sometimes) => Err(OutsideEnvelope::ApprovalDiffers),
            (Some(asked), _) => self.check_approvals(asked, envelope, owner, stored),
        }
    }

    /// Whether enough of those who are asked, and may be asked, said yes in time.
    fn check_approvals(
        &self,
        asked: &Asked,
        envelope: &Envelope,
        owner: &PublicKey,
        stored: Time,
    ) -> Result<(), OutsideEnvelope> {
        let named = |key: &PublicKey| key == owner || envelope.approvers.contains(key);
        let later = asked.escalation.iter().flat_map(|later| &later.approvers);
        if asked.quorum == 0 || !asked.approvers.iter().chain(later).all(named) {
            return Err(OutsideEnvelope::Approver);
        }
        let mut said = BTreeSet::new();
        for statement in &self.approvals {
            let answer = self.draft.answer(statement)?;
            if !answer.yes || answer.from > stored || !said.insert(answer.by) {
                return Err(OutsideEnvelope::ApprovalDiffers);
            }
        }
        if said.len() < usize::from(asked.quorum) {
            return Err(OutsideEnvelope::ApprovalMissing);
        }
        if stored > asked.until {
            return Err(OutsideEnvelope::ApprovalExpired);
        }
        Ok(())
    }
}

//! Judges one call against the contract, the catalogue and its task's record.

use bus_schema::json;
use bus_schema::{
    ActionGranted, ActionId, Asked, AuthorId, Content, DeploymentId, Digest, DraftGrant,
    EVENT_BYTES_MAX, Envelope, Escalated, Grant, OutsideEnvelope, PARTS_RULE, RefusalCode, RuleId,
    SecretName, Signed, TaskId, ToolName, wire,
};
use contract::{
    ARGUMENTS_BYTES_MAX, Allowance, Call, Catalogue, Code, Contract, ContractTotals, Drift, Fix,
    HistoryNeeds, Question, ReadNow, Risk, Tool, Verdict, View, decide, drift, is_read_as_signed,
    rule_id,
};

use crate::core::{PolicyCore, is_too_long};
use crate::decision_time::DecisionTime;
use crate::document::Document;
use crate::parts::Whole;
use crate::state::{ActiveContract, Task};
use crate::tools::NoTools;

/// Timeout from a grant's stored time to its claim's, in milliseconds.
const TTL_MS: u32 = 10_000;
/// Most bytes of an event beside its fact.
const EVENT_HEADER_BYTES_MAX: usize = 512;
/// Longest explanation of an unusable contract, in bytes.
const WHY_BYTES_MAX: usize = 4 << 10;

/// A call that is judged.
pub(crate) struct ProposedCall<'a> {
    pub(crate) task: TaskId,
    pub(crate) action: ActionId,
    pub(crate) tool: &'a ToolName,
    pub(crate) args: Content,
    pub(crate) by: AuthorId,
}

/// The verdict on a call.
pub(crate) enum Decision {
    /// The bytes that it depends on have not been fetched.
    Wait,
    Refuse(Refusal),
    Ask {
        draft: DraftGrant,
        reason: String,
    },
    Grant(DraftGrant),
}

/// A call that the contract permits.
struct Permitted {
    rule: RuleId,
    reserve: Allowance,
    secrets: Vec<SecretName>,
    determined: bool,
    question: Option<Question>,
}

pub(crate) struct Refusal {
    pub(crate) rule: RuleId,
    pub(crate) code: RefusalCode,
    pub(crate) why: String,
    pub(crate) fix: Option<Box<Fix>>,
}

impl Refusal {
    pub(crate) fn new(rule: RuleId, code: RefusalCode, why: impl Into<String>) -> Self {
        Self {
            rule,
            code,
            why: why.into(),
            fix: None,
        }
    }

    pub(crate) fn no_contract() -> Self {
        let why = "the contract of the task is no longer in force: it was revoked or replaced; `contractual contract list` \
                   shows which is";
        Self::new(rule_id("contract"), RefusalCode::NoContract, why)
    }

    pub(crate) fn cancelled() -> Self {
        let why = "the task was cancelled";
        Self::new(rule_id("task"), RefusalCode::Cancelled, why)
    }
}

/// Returns the reason for refusing JSON arguments that are not in canonical form. Arguments that are not JSON are
/// refused together with everything else that the contract states about the call.
fn another_form(args: &[u8]) -> Option<String> {
    match json::parse_canonical(args, ARGUMENTS_BYTES_MAX) {
        Err(error @ json::Error::NotCanonical { .. }) => Some(error.to_string()),
        Ok(_) | Err(json::Error::TooLong { .. } | json::Error::Malformed { .. }) => None,
    }
}

/// Splits a verdict of the rules.
fn permitted(verdict: Verdict) -> Result<Permitted, Refusal> {
    match verdict {
        Verdict::Refused {
            rule,
            code,
            why,
            fix,
        } => Err(Refusal {
            rule,
            code: refusal_code(code),
            why,
            fix: fix.map(Box::new),
        }),
        Verdict::Granted {
            rule,
            reserve,
            secrets,
            determined,
            ..
        } => Ok(Permitted {
            rule,
            reserve,
            secrets,
            determined,
            question: None,
        }),
        Verdict::Ask {
            rule,
            question,
            reserve,
            secrets,
            determined,
            ..
        } => Ok(Permitted {
            rule,
            reserve,
            secrets,
            determined,
            question: Some(question),
        }),
    }
}

impl PolicyCore {
    /// Judges a call against its task's whole record.
    pub(crate) fn decide(
        &self,
        call: &ProposedCall<'_>,
        revoked: bool,
        moment: &DecisionTime,
    ) -> Decision {
        let (Some(task), Some(deployment)) =
            (self.state.tasks.get(&call.task), self.state.deployment)
        else {
            return Decision::Wait;
        };
        let active = match self.in_force(task, revoked) {
            Ok(active) => active,
            Err(refusal) => return Decision::Refuse(refusal),
        };
        let tools = match self.tools() {
            Ok(tools) => tools,
            Err(NoTools::Unread) => return Decision::Wait,
            Err(NoTools::Unusable(why)) => {
                let (rule, code) = (rule_id("catalogue"), RefusalCode::NoCatalogue);
                return Decision::Refuse(Refusal::new(rule, code, clipped(why)));
            }
        };
        let tool = tools.get(call.tool.as_str());
        if task.job.is_some() && tool.is_some_and(|tool| tool.risk() == Some(Risk::High)) {
            return Decision::Refuse(job_tool());
        }
        let (contract, args) = match self.read((task.contract, active), tools, call) {
            Ok(read) => read,
            Err(decision) => return *decision,
        };
        let whole = self.whole((call.task, task), tool, (call.by, args));
        let args = match &whole {
            Whole::Unread => return Decision::Wait,
            Whole::Refused(why) => return Decision::Refuse(in_parts(why)),
            Whole::Own => args,
            Whole::Joined(args) => args,
        };
        let needs = HistoryNeeds::of(contract, call.tool.as_str());
        let record = self.histories.record(call.task, task, &needs, tools);
        let Some(record) = record else {
            return Decision::Wait;
        };
        let unused = ContractTotals::default();
        let shared = self.state.shared.get(&task.name).unwrap_or(&unused);
        let view = View {
            now_ms: moment.now.ns().div_euclid(1_000_000),
            record: &record,
            shared,
        };
        let said = Call {
            tool: call.tool.as_str(),
            args,
        };
        match permitted(decide(contract, tools, &view, &said)) {
            Ok(asked) if asked.question.is_some() && matches!(whole, Whole::Joined(_)) => {
                let why = "a person is asked about this call, and has to see all of its arguments; send them whole";
                Decision::Refuse(in_parts(why))
            }
            Ok(permitted) => self.drafted((deployment, contract, tool), permitted, call, moment),
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    /// Returns the contract in force of a task, unless the task was cancelled.
    fn in_force(&self, task: &Task, revoked: bool) -> Result<&ActiveContract, Refusal> {
        if task.cancelled.is_some() {
            return Err(Refusal::cancelled());
        }
        let active = self.state.contracts.get(&task.contract);
        active.filter(|_| !revoked).ok_or_else(Refusal::no_contract)
    }

    /// Drafts the grant of a permitted call and checks it against the envelope.
    fn drafted(
        &self,
        (deployment, contract, tool): (DeploymentId, &Contract, Option<&Tool>),
        permitted: Permitted,
        call: &ProposedCall<'_>,
        moment: &DecisionTime,
    ) -> Decision {
        let Permitted {
            rule,
            reserve,
            secrets,
            determined,
            question,
        } = permitted;
        let digest = contract.digest();
        let (Some(tool), Some(active)) = (tool, self.state.contracts.get(&digest)) else {
            return Decision::Refuse(outside(OutsideEnvelope::Tool));
        };
        let draft = DraftGrant {
            deployment,
            task: call.task,
            action: call.action,
            contract: digest,
            rule,
            tool: call.tool.clone(),
            tool_digest: tool.digest(),
            args: call.args,
            args_by: call.by,
            audience: executor(tool),
            ttl_ms: TTL_MS,
            wall_ms: u32::try_from(reserve.wall_ms).unwrap_or(u32::MAX),
            output_bytes_max: u32::try_from(reserve.output_bytes).unwrap_or(u32::MAX),
            secrets,
            counts: reserve.counts,
            determined,
            asked: question
                .as_ref()
                .map(|question| self.asked(contract, question, moment)),
        };
        let reason = question.map(|question| question.reason);
        self.inside(draft, reason, &active.envelope, moment)
    }

    /// Returns the approvers that a question asks.
    fn asked(&self, contract: &Contract, question: &Question, moment: &DecisionTime) -> Asked {
        let keys = |role: &str| match contract.roles().get(role) {
            Some(role) => role.keys.clone(),
            None => vec![self.owner],
        };
        let approvers = keys(&question.role);
        let escalation = question.escalate.as_ref().map(|later| Escalated {
            approvers: keys(&later.role),
            from: moment.now.plus_ms(later.after_ms),
        });
        Asked {
            approvers,
            quorum: u8::try_from(question.quorum).unwrap_or(u8::MAX),
            until: moment.now.plus_ms(question.expires_ms),
            escalation,
            attended: question.attended,
            verified: question.verified,
        }
    }

    /// Returns the contract and the arguments, or the verdict without them.
    fn read(
        &self,
        (contract, active): (Digest, &ActiveContract),
        tools: &Catalogue,
        call: &ProposedCall<'_>,
    ) -> Result<(&Contract, &[u8]), Box<Decision>> {
        let refuse = |rule, code, why: &str| {
            Box::new(Decision::Refuse(Refusal::new(rule_id(rule), code, why)))
        };
        let unreadable = |why: &str| refuse("arguments", RefusalCode::Arguments, why);
        let Some(document) = self.read_document(&contract, active) else {
            return Err(Box::new(Decision::Wait));
        };
        let contract = match (document, active.is_read_as_signed(document)) {
            (Document::Contract(contract, _), true) if !active.suspended => contract,
            (Document::Contract(..) | Document::Unusable(_), _) => {
                let why = suspended(tools, active, document);
                return Err(refuse("contract", RefusalCode::Suspended, clipped(&why)));
            }
        };
        if is_too_long(&call.args) {
            return Err(unreadable(
                "the arguments are longer than 64 KiB; shorten them",
            ));
        }
        match self.arguments.get(&call.action) {
            None => Err(Box::new(Decision::Wait)),
            Some(None) => Err(unreadable("the arguments were erased; propose it again")),
            Some(Some(args)) => match another_form(args) {
                Some(why) => Err(unreadable(&why)),
                None => Ok((contract, args)),
            },
        }
    }

    /// Checks a draft against the envelope as its executor will. Limits on a tool's calls are in the rules, which
    /// were counted already.
    fn inside(
        &self,
        draft: DraftGrant,
        reason: Option<String>,
        envelope: &Envelope,
        moment: &DecisionTime,
    ) -> Decision {
        let approvals = Vec::new();
        let grant = Grant { draft, approvals };
        let inside = grant.check_envelope(envelope, &self.state.signers(self.owner), 0, moment.now);
        let draft = grant.draft;
        match (inside, reason) {
            (Ok(()), None) => Decision::Grant(draft),
            (Ok(()) | Err(OutsideEnvelope::ApprovalMissing), Some(reason)) => {
                Decision::Ask { draft, reason }
            }
            (Err(why), _) => Decision::Refuse(outside(why)),
        }
    }
}

/// Returns the refusal of arguments in parts.
fn in_parts(why: &str) -> Refusal {
    Refusal::new(rule_id(PARTS_RULE), RefusalCode::Arguments, why)
}

/// Returns the refusal of a tool that no job may use, whatever its contract says.
fn job_tool() -> Refusal {
    let why = "a job may not use a tool of high risk; run the playbook as a person, or give the tool its true risk and sign \
               the catalogue and the contract again";
    Refusal::new(rule_id("job"), RefusalCode::JobTool, why)
}

/// Returns the reason for granting nothing under a suspended contract.
fn suspended(tools: &Catalogue, active: &ActiveContract, document: &Document) -> String {
    let found = drifted(tools, active, document, None);
    let found = found.map_or_else(
        || "it was found to have changed".to_owned(),
        |found| found.summary(),
    );
    format!(
        "the contract is suspended until the owner signs it again (`contractual contract list` shows what differs): {found}"
    )
}

/// Returns the differences between what a contract is read by and what the owner signed, given its stored tools.
pub(crate) fn drifted(
    catalogue: &Catalogue,
    active: &ActiveContract,
    document: &Document,
    tools: Option<&[u8]>,
) -> Option<Drift> {
    let envelope = document.envelope();
    let now = ReadNow {
        catalogue,
        envelope,
    };
    drift((&active.pins, &active.envelope), tools, &now)
}

impl ActiveContract {
    /// Returns true if its document is read exactly as it was signed.
    pub(crate) fn is_read_as_signed(&self, document: &Document) -> bool {
        is_read_as_signed(&self.pins, &self.envelope, document.envelope())
    }
}

/// Returns true if an approval of `asked` covers the question that is asked `again`: the same rule asks, and no less
/// is left.
pub(crate) fn still_covers(asked: &DraftGrant, again: &DraftGrant) -> bool {
    asked.rule == again.rule
        && asked.contract == again.contract
        && asked.counts == again.counts
        && asked.secrets == again.secrets
        && asked.wall_ms <= again.wall_ms
        && asked.output_bytes_max <= again.output_bytes_max
}

/// Returns the grant of an approved call, or its refusal if the approvals are too long for an event.
pub(crate) fn approved(
    draft: DraftGrant,
    approvals: Vec<Signed>,
) -> Result<ActionGranted, Refusal> {
    let rule = draft.rule.clone();
    let grant = Grant { draft, approvals };
    let granted = ActionGranted { grant };
    if wire::encode(&granted).len() + EVENT_HEADER_BYTES_MAX <= EVENT_BYTES_MAX {
        return Ok(granted);
    }
    let why = "the approvals together are too long to be recorded; propose it again, and answer this call by itself";
    Err(Refusal::new(rule, RefusalCode::OutsideEnvelope, why))
}

/// Returns the code of a refusal by the rules.
const fn refusal_code(code: Code) -> RefusalCode {
    match code {
        Code::Expired => RefusalCode::Expired,
        Code::NotStarted | Code::Principal | Code::OtherTask => RefusalCode::NoContract,
        Code::UnknownTool => RefusalCode::Tool,
        Code::Arguments | Code::Schema => RefusalCode::Arguments,
        Code::Denied | Code::Undecidable | Code::Conflict => RefusalCode::Denied,
        Code::NotAllowed | Code::Secret | Code::Untrusted => RefusalCode::NotAllowed,
        Code::RuleCalls
        | Code::RuleSum
        | Code::RuleSpend
        | Code::RuleValues
        | Code::Calls
        | Code::WallTime
        | Code::OutputBytes
        | Code::Tokens
        | Code::Spend
        | Code::BytesOut
        | Code::Messages => RefusalCode::Limit,
    }
}

/// Returns the refusal of a draft that its executor would decline.
fn outside(why: OutsideEnvelope) -> Refusal {
    let (rule, code) = match why {
        OutsideEnvelope::Expired => ("expired", RefusalCode::Expired),
        OutsideEnvelope::Tool | OutsideEnvelope::ToolChanged => ("catalogue", RefusalCode::Tool),
        OutsideEnvelope::Limits
        | OutsideEnvelope::Calls
        | OutsideEnvelope::Secret
        | OutsideEnvelope::ApprovalMissing
        | OutsideEnvelope::ApprovalDiffers
        | OutsideEnvelope::ApprovalContract
        | OutsideEnvelope::ApprovalExpired
        | OutsideEnvelope::Approver
        | OutsideEnvelope::Approval(_)
        | OutsideEnvelope::Device(_) => ("contract", RefusalCode::OutsideEnvelope),
    };
    Refusal::new(rule_id(rule), code, why.to_string())
}

/// Returns the first 4 KiB of a text.
pub(crate) fn clipped(text: &str) -> &str {
    text.get(..text.floor_char_boundary(WHY_BYTES_MAX))
        .unwrap_or_default()
}

/// Returns the executor of a tool.
fn executor(tool: &Tool) -> AuthorId {
    if tool.http().is_some() {
        AuthorId::Egress
    } else {
        AuthorId::Runner
    }
}

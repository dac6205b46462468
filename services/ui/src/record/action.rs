//! One action of a task: its proposal, the verdict on it, and what became of it.

use bus_schema::{
    ActionFinished, ActionId, ActionOutcome, ActionProposed, ActionRefused, AuthorId, Content,
    DraftGrant, Grant, Meta, Money, RefusalCode, RuleId, SecretName, StepName, Time, ToolName,
    Usage,
};
use serde::{Deserialize, Serialize};

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActionRecord {
    pub(crate) id: ActionId,
    /// The place of its proposal in the stream.
    pub(crate) seq: u64,
    pub(crate) proposed: Time,
    pub(crate) by: AuthorId,
    pub(crate) step: StepName,
    pub(crate) item: u16,
    pub(crate) items: u16,
    pub(crate) attempt: u8,
    pub(crate) tool: ToolName,
    pub(crate) args: Content,
    pub(crate) permission: Option<Permission>,
    pub(crate) question: Option<AskedQuestion>,
    pub(crate) started: Option<Time>,
    stage: Stage,
    /// The place and the time of the last event about it.
    pub(crate) last: (u64, Time),
}

/// The permission of policy, or the one that it would give after a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Permission {
    pub(crate) rule: RuleId,
    pub(crate) audience: AuthorId,
    pub(crate) wall_ms: u32,
    pub(crate) output_bytes_max: u32,
    pub(crate) secrets: Vec<SecretName>,
    pub(crate) spend: Option<Money>,
    pub(crate) tokens: u64,
    pub(crate) outward: bool,
    pub(crate) determined: bool,
    /// The number of approvals in the grant.
    pub(crate) approvals: usize,
}

/// A question to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AskedQuestion {
    pub(crate) asked: Time,
    pub(crate) until: Time,
    pub(crate) quorum: u8,
    pub(crate) attended: bool,
    /// True if only a passkey may approve.
    pub(crate) verified: bool,
    pub(crate) reason: Option<Content>,
    /// The answers that the gateway forwarded.
    pub(crate) answers: u32,
}

/// The stage by the record alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Proposed,
    Asks,
    Granted { claim_by: Time },
    Running { finish_by: Time },
    Refused(Refusal),
    Ended(Ending),
    Declined(RefusalCode),
    Expired,
}

/// A refusal of policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) rule: RuleId,
    pub(crate) code: RefusalCode,
    pub(crate) why: Option<Content>,
}

/// The outcome of a claimed action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) by: AuthorId,
    pub(crate) outcome: ActionOutcome,
    pub(crate) usage: Usage,
    pub(crate) output: Content,
}

/// The state of an action at a moment of bus time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionState<'a> {
    /// Policy has not decided.
    Proposed,
    /// A person has to answer.
    Asks(&'a AskedQuestion),
    /// It may be claimed.
    Granted,
    /// It runs.
    Running,
    /// Policy refused it.
    Refused(&'a Refusal),
    /// It ended.
    Ended(&'a Ending),
    /// Its executor declined it.
    Declined(RefusalCode),
    /// Nobody claimed it in time.
    NotClaimed,
    /// It was claimed, and nobody knows what became of it.
    Unknown,
}

impl ActionRecord {
    pub(super) fn new(meta: &Meta, fact: ActionProposed) -> Self {
        Self {
            id: fact.action,
            seq: meta.seq,
            proposed: meta.stored,
            by: meta.by,
            step: fact.step,
            item: fact.item,
            items: fact.items,
            attempt: fact.attempt,
            tool: fact.tool,
            args: fact.args,
            permission: None,
            question: None,
            started: None,
            stage: Stage::Proposed,
            last: (meta.seq, meta.stored),
        }
    }

    /// Returns the state at `now`.
    pub(crate) fn state(&self, now: Time) -> ActionState<'_> {
        match (&self.stage, &self.question) {
            (Stage::Asks, Some(question)) => ActionState::Asks(question),
            (Stage::Proposed | Stage::Asks, _) => ActionState::Proposed,
            (Stage::Granted { claim_by }, _) if *claim_by < now => ActionState::NotClaimed,
            (Stage::Granted { .. }, _) => ActionState::Granted,
            (Stage::Running { finish_by }, _) if *finish_by < now => ActionState::Unknown,
            (Stage::Running { .. }, _) => ActionState::Running,
            (Stage::Refused(refusal), _) => ActionState::Refused(refusal),
            (Stage::Ended(ending), _) => ActionState::Ended(ending),
            (Stage::Declined(code), _) => ActionState::Declined(*code),
            (Stage::Expired, _) if self.started.is_some() => ActionState::Unknown,
            (Stage::Expired, _) => ActionState::NotClaimed,
        }
    }

    /// Returns its outcome, if it ended.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        match &self.stage {
            Stage::Ended(ending) => Some(ending),
            Stage::Proposed
            | Stage::Asks
            | Stage::Granted { .. }
            | Stage::Running { .. }
            | Stage::Refused(_)
            | Stage::Declined(_)
            | Stage::Expired => None,
        }
    }

    /// Returns true until its first verdict: whoever proposes its id again gets a refusal that is not about this action.
    const fn is_undecided(&self) -> bool {
        matches!(self.stage, Stage::Proposed | Stage::Asks)
    }

    /// Returns true if nothing more can become of it.
    pub(super) const fn is_settled(&self) -> bool {
        match self.stage {
            Stage::Refused(_) | Stage::Ended(_) | Stage::Declined(_) | Stage::Expired => true,
            Stage::Proposed | Stage::Asks | Stage::Granted { .. } | Stage::Running { .. } => false,
        }
    }

    pub(super) fn ask(&mut self, meta: &Meta, draft: &DraftGrant, reason: Option<Content>) {
        if !self.is_undecided() {
            return;
        }
        self.permission = Some(Permission::of(draft, 0));
        self.question = draft.asked.as_ref().map(|asked| AskedQuestion {
            asked: meta.stored,
            until: asked.until,
            quorum: asked.quorum,
            attended: asked.attended,
            verified: asked.verified,
            reason,
            answers: 0,
        });
        self.set(meta, Stage::Asks);
    }

    pub(super) fn answer(&mut self, meta: &Meta) {
        if let Some(question) = &mut self.question {
            question.answers = question.answers.saturating_add(1);
            self.last = (meta.seq, meta.stored);
        }
    }

    pub(super) fn grant(&mut self, meta: &Meta, grant: &Grant) {
        if !self.is_undecided() {
            return;
        }
        self.permission = Some(Permission::of(&grant.draft, grant.approvals.len()));
        let claim_by = grant.draft.claim_by(meta.stored);
        self.set(meta, Stage::Granted { claim_by });
    }

    pub(super) fn refuse(&mut self, meta: &Meta, fact: ActionRefused) {
        if !self.is_undecided() {
            return;
        }
        let refusal = Refusal {
            rule: fact.rule,
            code: fact.code,
            why: fact.why,
        };
        self.set(meta, Stage::Refused(refusal));
    }

    pub(super) fn start(&mut self, meta: &Meta) {
        let Some(permission) = self.permission.as_ref() else {
            return;
        };
        let claimable =
            matches!(self.stage, Stage::Granted { claim_by } if meta.stored <= claim_by);
        if claimable && permission.audience == meta.by {
            let wall_ms = u64::from(permission.wall_ms);
            let finish_by = bus_schema::lifecycle::finish_by(meta.stored, wall_ms);
            self.started = Some(meta.stored);
            self.set(meta, Stage::Running { finish_by });
        }
    }

    pub(super) fn finish(&mut self, meta: &Meta, fact: &ActionFinished) {
        let in_time =
            matches!(self.stage, Stage::Running { finish_by } if meta.stored <= finish_by);
        if in_time && self.is_of(meta.by) {
            let ending = Ending {
                by: meta.by,
                outcome: fact.outcome,
                usage: fact.usage,
                output: fact.output,
            };
            self.set(meta, Stage::Ended(ending));
        }
    }

    pub(super) fn decline(&mut self, meta: &Meta, code: RefusalCode) {
        if matches!(self.stage, Stage::Granted { .. }) && self.is_of(meta.by) {
            self.set(meta, Stage::Declined(code));
        }
    }

    pub(super) fn expire(&mut self, meta: &Meta) {
        let over = match self.stage {
            Stage::Granted { claim_by } => claim_by < meta.stored,
            Stage::Running { finish_by } => finish_by < meta.stored,
            Stage::Proposed
            | Stage::Asks
            | Stage::Refused(_)
            | Stage::Ended(_)
            | Stage::Declined(_)
            | Stage::Expired => false,
        };
        if over {
            self.set(meta, Stage::Expired);
        }
    }

    fn is_of(&self, executor: AuthorId) -> bool {
        let permission = self.permission.as_ref();
        permission.is_some_and(|permission| permission.audience == executor)
    }

    fn set(&mut self, meta: &Meta, stage: Stage) {
        self.stage = stage;
        self.last = (meta.seq, meta.stored);
    }
}

impl Permission {
    fn of(draft: &DraftGrant, approvals: usize) -> Self {
        Self {
            rule: draft.rule.clone(),
            audience: draft.audience,
            wall_ms: draft.wall_ms,
            output_bytes_max: draft.output_bytes_max,
            secrets: draft.secrets.clone(),
            spend: draft.counts.spend,
            tokens: draft.counts.tokens,
            outward: draft.counts.outward,
            determined: draft.determined,
            approvals,
        }
    }
}

//! Holds policy's projection of the stream: contracts in force, open tasks, and work without a verdict.

mod approvals;
mod fold;
mod runs;
mod said;
mod task;

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionId, AuthorId, CatalogueSigned, Content, ContractName, DeploymentId, DeploymentStarts,
    Devices, Digest, DraftGrant, Envelope, EventId, JobName, Jobs, Pins, PublicKey, RefusalCode,
    RuleId, RunCause, RunOrdered, RunsOnRecord, Signed, Signers, TaskId, Time, ToolName,
};
use contract::{Allowance, ContractTotals, Totals};
use serde::{Deserialize, Serialize};

/// Largest number of refused approvals recorded for one action, and for all unknown actions of one task.
pub const APPROVALS_REFUSED_MAX: u8 = 8;

/// A projection of the stream.
///
/// Its size follows open work, except for two sets that prevent the reuse of ids: 18 bytes of the stored state
/// for every task ever submitted and every action ever proposed, about 18 MB for a million of them. A new epoch
/// empties them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) deployment: Option<DeploymentId>,
    /// The stored time of the last fact.
    pub(crate) now: Time,
    pub(crate) halted: bool,
    /// The newest catalogue that the owner signed.
    pub(crate) catalogue: Option<CatalogueSigned>,
    /// The devices that the owner endorsed.
    #[serde(default)]
    pub(crate) devices: Devices,
    /// The jobs that the owner signed.
    pub(crate) jobs: Jobs,
    /// The owner's orders of runs that no run has used.
    orders: BTreeMap<EventId, RunOrdered>,
    /// The runs of jobs that go on, and those that failed.
    pub(crate) runs: RunsOnRecord,
    /// The starts of the deployment.
    #[serde(default)]
    pub(crate) starts: DeploymentStarts,
    /// The tasks of all runs that were due.
    runs_seen: BTreeSet<TaskId>,
    /// The contracts in force, at most one of each name.
    pub(crate) contracts: BTreeMap<Digest, ActiveContract>,
    /// The usage of all tasks of a contract, by its name.
    pub(crate) shared: BTreeMap<ContractName, ContractTotals>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Ended tasks with a grant that may still be claimed, or an outcome that may still arrive.
    ending: BTreeMap<TaskId, Task>,
    /// Unclaimed grants, by the last moment at which a claim counts.
    unclaimed: BTreeSet<(Time, TaskId, ActionId)>,
    tasks_seen: BTreeSet<TaskId>,
    actions_seen: BTreeSet<ActionId>,
    /// Signed contracts without a verdict, by their place in the stream.
    pub(crate) signed: BTreeMap<u64, PendingContract>,
    /// Submissions without a verdict, by their place in the stream.
    pub(crate) submitted: BTreeMap<u64, Submission>,
    /// Proposals without a verdict, by their place in the stream.
    pub(crate) proposed: BTreeMap<u64, Proposal>,
    /// Proposals of reused ids, each with the last event that made one.
    pub(crate) reused: BTreeMap<(TaskId, ActionId), EventId>,
    /// Answered open questions, by the place of their proposal in the stream.
    pub(crate) answered: BTreeSet<(u64, TaskId, ActionId)>,
    /// Unanswered open questions, by the last moment at which an answer may be stored.
    pub(crate) asks: BTreeSet<(Time, TaskId, ActionId)>,
    /// Invalid answers that have not been refused yet, by their place in the stream.
    pub(crate) invalid_approvals: BTreeMap<u64, InvalidApproval>,
}

/// A contract as the owner signed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ActiveContract {
    pub(crate) name: ContractName,
    pub(crate) version: u32,
    pub(crate) document: Content,
    pub(crate) pins: Pins,
    pub(crate) envelope: Envelope,
    /// True if its tools, or its reading, have changed since the signature.
    pub(crate) suspended: bool,
}

/// A contract that the owner signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingContract {
    pub(crate) contract: Digest,
    pub(crate) active: ActiveContract,
    pub(crate) id: EventId,
    /// True if it was revoked before it had a verdict.
    pub(crate) revoked: bool,
}

/// A submitted task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submission {
    pub(crate) task: TaskId,
    pub(crate) id: EventId,
    /// The submission as far as it can be checked without its contract.
    pub(crate) said: Result<Submitted, RefusalCode>,
    /// The run of a job; none for a task that a person submitted.
    pub(crate) run: Option<DueRun>,
}

impl Submission {
    /// The author of its playbook and of the values of its slots.
    pub(crate) const fn contents_by(&self) -> AuthorId {
        match self.run {
            Some(_) => AuthorId::Owner,
            None => AuthorId::Gateway,
        }
    }
}

/// A run that is said to be due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DueRun {
    pub(crate) job: JobName,
    pub(crate) version: u32,
    pub(crate) cause: RunCause,
    /// The keys of its messages, if it takes several.
    #[serde(default)]
    pub(crate) messages: Vec<Digest>,
    /// The attempt and the end of the run that it tries again.
    pub(crate) failed: Option<(u8, Time)>,
}

/// The owner's statement about a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submitted {
    pub(crate) contract: Digest,
    pub(crate) playbook: Content,
    /// The values of its slots.
    pub(crate) slots: Option<Content>,
    /// The key of its session.
    pub(crate) session: Option<PublicKey>,
    /// The document of its dialogue.
    pub(crate) dialogue: Option<Content>,
    /// True if a message filled in some of its slots, and policy stored them.
    pub(crate) of_message: bool,
}

/// An admitted task that has not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) contract: Digest,
    pub(crate) name: ContractName,
    pub(crate) playbook: Content,
    /// The values of its slots.
    pub(crate) slots: Option<Content>,
    /// True if a message filled in some of them, and policy stored them.
    pub(crate) of_message: bool,
    /// The job that it is a run of.
    pub(crate) job: Option<JobName>,
    /// The only author whose proposals count.
    pub(crate) proposer: AuthorId,
    /// Its granted totals, reserved or used, without lapsed and declined grants.
    pub(crate) used: Totals,
    /// The started calls, by tool.
    pub(crate) calls: BTreeMap<ToolName, ToolCalls>,
    pub(crate) actions: BTreeMap<ActionId, Action>,
    invalid_approvals: u8,
    /// The event by which the owner cancelled it, or policy stopped it.
    pub(crate) cancelled: Option<EventId>,
    /// The further words of the owner, in their order.
    #[serde(default)]
    pub(crate) said: Vec<Content>,
    /// The contract under which it goes on once that is in force, by the owner's statement.
    #[serde(default)]
    moves_to: Option<Digest>,
    /// The lowest number of a request for another contract whose answer counts: an answer is not said twice.
    #[serde(default)]
    answers_from: u16,
}

/// The started calls of one tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolCalls {
    /// The number of successful calls.
    pub(crate) succeeded: u64,
    /// The distinct digests that the tool had when calls were granted.
    pub(crate) digests: BTreeSet<Digest>,
    /// Oldest first.
    pub(crate) each: Vec<StartedCall>,
}

/// One started call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StartedCall {
    pub(crate) action: ActionId,
    /// The rule that counts the call.
    pub(crate) rule: RuleId,
    /// The tool's digest when the call was granted.
    pub(crate) digest: Digest,
    pub(crate) args: Content,
    pub(crate) args_by: AuthorId,
    /// True if its arguments were determined when it was granted.
    pub(crate) determined: bool,
    /// The executor that stored its output.
    pub(crate) executor: AuthorId,
    pub(crate) outcome: CallOutcome,
}

/// The outcome of a started call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum CallOutcome {
    /// Unknown; it may stay so.
    Unknown,
    Failed,
    Succeeded(Content),
}

/// The amounts that a grant reserves, until it is settled or released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) rule: RuleId,
    pub(crate) tool: ToolName,
    pub(crate) digest: Digest,
    pub(crate) args: Content,
    pub(crate) args_by: AuthorId,
    pub(crate) determined: bool,
    /// The executor that may claim it; nobody else can say what became of it.
    pub(crate) audience: AuthorId,
    pub(crate) reserve: Allowance,
    /// The time of the grant, in milliseconds since 1970 UTC.
    pub(crate) granted_ms: i64,
}

/// The arguments of a granted call that counts under a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountedCall<'t> {
    pub(crate) action: ActionId,
    pub(crate) rule: &'t RuleId,
    pub(crate) tool: &'t ToolName,
    /// The tool's digest when the call was granted.
    pub(crate) digest: Digest,
    pub(crate) args: Content,
    pub(crate) args_by: AuthorId,
}

/// An action of an open task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) stage: Stage,
    invalid_approvals: u8,
}

/// The stage of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It is in [`State::proposed`] at this place.
    Proposed(u64),
    Asked(Box<Question>),
    Granted {
        reservation: Box<Reservation>,
        /// The last moment at which a claim counts.
        claim_by: Time,
    },
    Started {
        reservation: Box<Reservation>,
        /// The last moment at which an outcome counts.
        finish_by: Time,
        /// Its place among the calls of its tool.
        place: usize,
    },
    Over,
}

/// A proposal without a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    pub(crate) task: TaskId,
    pub(crate) action: ActionId,
    pub(crate) id: EventId,
    pub(crate) by: AuthorId,
    pub(crate) tool: ToolName,
    pub(crate) args: Content,
    /// True if its contract was revoked while it waited.
    pub(crate) revoked: bool,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) draft: DraftGrant,
    /// The proposal's place in the stream.
    pub(crate) seq: u64,
    /// The event that asked it.
    pub(crate) id: EventId,
    /// The last moment at which an answer may be stored.
    pub(crate) until: Time,
    /// The approvals, one per approver.
    pub(crate) yes: Vec<Signed>,
    pub(crate) answer: Option<Answer>,
}

/// The answer that closes a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Enough approvers approved.
    Yes(EventId),
    No(EventId),
    /// The contract was revoked.
    Revoked(EventId),
    /// The task was cancelled.
    Cancelled(EventId),
}

/// A statement that is not a valid answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct InvalidApproval {
    pub(crate) task: TaskId,
    pub(crate) action: ActionId,
    pub(crate) code: RefusalCode,
    pub(crate) id: EventId,
}

impl Task {
    /// The author of the values of its slots.
    pub(crate) const fn slots_by(&self) -> AuthorId {
        if self.of_message {
            AuthorId::Policy
        } else {
            self.contents_by()
        }
    }

    /// The author of its playbook.
    pub(crate) const fn contents_by(&self) -> AuthorId {
        match self.job {
            Some(_) => AuthorId::Owner,
            None => AuthorId::Gateway,
        }
    }
}

impl State {
    /// Returns the owner with the devices that speak for the owner.
    pub(crate) const fn signers(&self, owner: PublicKey) -> Signers<'_> {
        Signers {
            owner,
            devices: &self.devices,
        }
    }

    /// Returns true if a task was admitted and has not ended, or waits for its admission.
    pub(crate) fn is_known(&self, task: TaskId) -> bool {
        let mut waiting = self.submitted.values();
        self.tasks.contains_key(&task) || waiting.any(|one| one.task == task)
    }

    /// Returns the open question about an action.
    pub(crate) fn question(&self, task: TaskId, action: ActionId) -> Option<&Question> {
        match &self.tasks.get(&task)?.actions.get(&action)?.stage {
            Stage::Asked(question) => Some(question),
            Stage::Proposed(_) | Stage::Granted { .. } | Stage::Started { .. } | Stage::Over => {
                None
            }
        }
    }

    /// Returns true if an action of this task waits for its verdict.
    pub(crate) fn is_open(&self, task: TaskId, action: ActionId) -> bool {
        let stage = self.tasks.get(&task).and_then(|of| of.actions.get(&action));
        stage.is_some_and(|action| matches!(action.stage, Stage::Proposed(_) | Stage::Asked(_)))
    }

    /// Returns true if the owner named `content` as the document of a contract that is in force or offered.
    pub(crate) fn needs_document(&self, contract: &Digest, content: &Content) -> bool {
        let active = self.contracts.get(contract);
        active.is_some_and(|active| active.document == *content)
            || self
                .signed
                .values()
                .any(|one| one.contract == *contract && one.active.document == *content)
    }

    /// Returns true if `content` holds the tools of a contract in force that has not been suspended.
    pub(crate) fn needs_tools(&self, content: &Content) -> bool {
        let mut each = self.contracts.values();
        each.any(|active| !active.suspended && active.pins.tools == *content)
    }

    /// Returns the contract in force of that name.
    pub(crate) fn in_force(&self, name: &ContractName) -> Option<(&Digest, &ActiveContract)> {
        self.contracts.iter().find(|(_, one)| one.name == *name)
    }

    /// Returns true if a contract was signed and has no verdict yet.
    pub(crate) fn is_offered(&self, contract: &Digest) -> bool {
        self.signed.values().any(|one| one.contract == *contract)
    }
}

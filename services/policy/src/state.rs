//! Holds what policy knows of the stream: contracts in force, open tasks, and the work that has no verdict yet.

mod fold;
mod task;

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionId, AuthorId, Content, ContractName, DeploymentId, Digest, DraftGrant, Envelope, EventId,
    Pins, RefusalCode, RuleId, Signed, TaskId, Time, ToolName,
};
use contract::{Allowance, ContractTotals, Totals};
use serde::{Deserialize, Serialize};

/// Most refused approvals that are recorded of one action, and of all unknown actions of one task.
pub const APPROVALS_REFUSED_MAX: u8 = 8;

/// A fold of the stream.
///
/// Its size follows open work, but for two sets that keep ids from being used twice: 18 bytes of the kept state
/// for every task ever submitted and every action ever proposed, about 18 MB for a million of them. An epoch
/// starts them anew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) deployment: Option<DeploymentId>,
    /// The stored time of the last fact.
    pub(crate) now: Time,
    pub(crate) halted: bool,
    /// The contracts in force, at most one of each name.
    pub(crate) contracts: BTreeMap<Digest, ActiveContract>,
    /// What all tasks of a contract used, by its name.
    pub(crate) shared: BTreeMap<ContractName, ContractTotals>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Tasks that are over and of which a grant may still be claimed, or an outcome may still come.
    ending: BTreeMap<TaskId, Task>,
    /// Grants nobody has claimed, by the last moment at which that counts.
    unclaimed: BTreeSet<(Time, TaskId, ActionId)>,
    tasks_seen: BTreeSet<TaskId>,
    actions_seen: BTreeSet<ActionId>,
    /// Signed contracts without a verdict, by their place in the stream.
    pub(crate) signed: BTreeMap<u64, PendingContract>,
    /// Submissions without a verdict, by their place in the stream.
    pub(crate) submitted: BTreeMap<u64, Submission>,
    /// Proposals without a verdict, by their place in the stream.
    pub(crate) proposed: BTreeMap<u64, Proposal>,
    /// Proposals of ids that were used before, each with the last event that made one.
    pub(crate) reused: BTreeMap<(TaskId, ActionId), EventId>,
    /// Open questions that got an answer, by the place of their proposal in the stream.
    pub(crate) answered: BTreeSet<(u64, TaskId, ActionId)>,
    /// Open questions without an answer, by the last moment at which one may be stored.
    pub(crate) asks: BTreeSet<(Time, TaskId, ActionId)>,
    /// Statements that are no answer and were not refused yet, by their place in the stream.
    pub(crate) invalid_approvals: BTreeMap<u64, InvalidApproval>,
}

/// What the owner signed of a contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ActiveContract {
    pub(crate) name: ContractName,
    pub(crate) version: u32,
    pub(crate) document: Content,
    pub(crate) pins: Pins,
    pub(crate) envelope: Envelope,
    /// Whether it was found that its tools, or how it is read, have changed.
    pub(crate) suspended: bool,
}

/// A contract that the owner signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingContract {
    pub(crate) contract: Digest,
    pub(crate) active: ActiveContract,
    pub(crate) id: EventId,
    /// Whether it was revoked before it had a verdict.
    pub(crate) revoked: bool,
}

/// A task that was handed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submission {
    pub(crate) task: TaskId,
    pub(crate) id: EventId,
    /// What is known without its contract.
    pub(crate) said: Result<Submitted, RefusalCode>,
}

/// What the owner says of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submitted {
    pub(crate) contract: Digest,
    pub(crate) playbook: Content,
}

/// A task that was admitted and is not over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) contract: Digest,
    pub(crate) name: ContractName,
    pub(crate) playbook: Content,
    /// What was granted to it, reserved or used; without what lapsed or was declined.
    pub(crate) used: Totals,
    /// The calls that were started, by tool.
    pub(crate) calls: BTreeMap<ToolName, ToolCalls>,
    pub(crate) actions: BTreeMap<ActionId, Action>,
    invalid_approvals: u8,
}

/// The started calls of one tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolCalls {
    /// How many of them succeeded.
    pub(crate) succeeded: u64,
    /// The tool, each time that it was not the same, as it was when a call was granted.
    pub(crate) digests: BTreeSet<Digest>,
    /// Oldest first.
    pub(crate) each: Vec<StartedCall>,
}

/// One started call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StartedCall {
    pub(crate) action: ActionId,
    /// The tool as it was when the call was granted.
    pub(crate) digest: Digest,
    pub(crate) args: Content,
    pub(crate) args_by: AuthorId,
    pub(crate) outcome: CallOutcome,
}

/// What outcome of a started call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum CallOutcome {
    /// Nothing is known, and perhaps never will be.
    Unknown,
    Failed,
    Succeeded(Content),
}

/// What a grant takes from the limits, until it is settled or released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) rule: RuleId,
    pub(crate) tool: ToolName,
    pub(crate) digest: Digest,
    pub(crate) args: Content,
    pub(crate) args_by: AuthorId,
    pub(crate) reserve: Allowance,
    /// When it was granted, in milliseconds since 1970 UTC.
    pub(crate) granted_ms: i64,
}

/// An action of an open task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) stage: Stage,
    invalid_approvals: u8,
}

/// Where an action stands.
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
    /// Whether its contract was revoked while it waited.
    pub(crate) revoked: bool,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) draft: DraftGrant,
    /// The proposal's place in the stream.
    pub(crate) seq: u64,
    /// The event that asked.
    pub(crate) id: EventId,
    /// The last moment at which an answer may be stored.
    pub(crate) until: Time,
    /// Those who said yes, each once.
    pub(crate) yes: Vec<Signed>,
    pub(crate) answer: Option<Answer>,
}

/// What ends a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// As many as have to said yes.
    Yes(EventId),
    No(EventId),
    /// The contract was revoked.
    Revoked(EventId),
}

/// A statement that is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct InvalidApproval {
    pub(crate) task: TaskId,
    pub(crate) action: ActionId,
    pub(crate) code: RefusalCode,
    pub(crate) id: EventId,
}

impl State {
    /// The question about an action, if it is open.
    pub(crate) fn question(&self, task: TaskId, action: ActionId) -> Option<&Question> {
        match &self.tasks.get(&task)?.actions.get(&action)?.stage {
            Stage::Asked(question) => Some(question),
            Stage::Proposed(_) | Stage::Granted { .. } | Stage::Started { .. } | Stage::Over => {
                None
            }
        }
    }

    /// Whether an action of this very task waits for its verdict.
    pub(crate) fn is_open(&self, task: TaskId, action: ActionId) -> bool {
        let stage = self.tasks.get(&task).and_then(|of| of.actions.get(&action));
        stage.is_some_and(|action| matches!(action.stage, Stage::Proposed(_) | Stage::Asked(_)))
    }

    /// Whether `content` is what the owner named as the document of a contract that is in force, or is to be.
    pub(crate) fn needs_document(&self, contract: &Digest, content: &Content) -> bool {
        let active = self.contracts.get(contract);
        active.is_some_and(|active| active.document == *content)
            || self
                .signed
                .values()
                .any(|one| one.contract == *contract && one.active.document == *content)
    }

    /// Whether `content` is what the owner put as the tools of a contract in force that may be found to have changed.
    pub(crate) fn needs_tools(&self, content: &Content) -> bool {
        let mut each = self.contracts.values();
        each.any(|active| !active.suspended && active.pins.tools == *content)
    }

    /// The contract of a name that is in force.
    pub(crate) fn in_force(&self, name: &ContractName) -> Option<(&Digest, &ActiveContract)> {
        self.contracts.iter().find(|(_, one)| one.name == *name)
    }

    /// Whether a contract was signed and has no verdict yet.
    pub(crate) fn is_offered(&self, contract: &Digest) -> bool {
        self.signed.values().any(|one| one.contract == *contract)
    }
}

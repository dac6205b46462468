//! Holds what policy knows of the stream: contracts in force, open tasks, and the work that has no verdict yet.

mod fold;

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionId, AuthorId, Content, DeploymentId, Digest, DraftGrant, Envelope, EventId, RefusalCode,
    Signed, TaskId, Time, ToolName,
};
use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, Reservation};

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
    /// The contracts in force.
    pub(crate) contracts: BTreeMap<Digest, Active>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    tasks_seen: BTreeSet<TaskId>,
    actions_seen: BTreeSet<ActionId>,
    /// Signed contracts without a verdict, by their place in the stream.
    pub(crate) signed: BTreeMap<u64, Offered>,
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
    pub(crate) strays: BTreeMap<u64, Stray>,
}

/// A contract in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Active {
    pub(crate) document: Content,
    pub(crate) envelope: Envelope,
}

/// A contract that the owner signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offered {
    pub(crate) contract: Digest,
    pub(crate) active: Active,
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
    pub(crate) ledger: Ledger,
    pub(crate) actions: BTreeMap<ActionId, Action>,
    /// Grants nobody has claimed, by the last moment at which that counts.
    unclaimed: BTreeSet<(Time, ActionId)>,
    strays: u8,
}

/// An action of an open task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) stage: Stage,
    strays: u8,
}

/// Where an action stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It is in [`State::proposed`] at this place.
    Proposed(u64),
    Asked(Box<Question>),
    Granted {
        reservation: Reservation,
        /// The last moment at which a claim counts.
        claim_by: Time,
    },
    Started {
        reservation: Reservation,
        /// The last moment at which an outcome counts.
        finish_by: Time,
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
pub(crate) struct Stray {
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

    /// Whether a contract was signed and has no verdict yet.
    pub(crate) fn is_offered(&self, contract: &Digest) -> bool {
        self.signed.values().any(|one| one.contract == *contract)
    }
}

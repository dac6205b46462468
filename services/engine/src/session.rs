//! Folds the facts about one session: its signed calls, their actions, and its end.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    ActionId, ActionProposed, CallStatement, Content, ContractRequested, DeploymentId, DraftGrant,
    EventId, Meta, PublicKey, Signed, Statement, TaskId, TaskOutcome, Time, ToolName,
};
use proposer::{Heard, OpenGrants};
use serde::{Deserialize, Serialize};

use crate::request::{self, NewRequest, REQUEST_TOOL, Requests};

/// Largest number of calls of one session; their numbers are below it.
pub const CALLS_MAX: u16 = 4096;
/// Largest number of open actions of one session; more calls wait.
pub const OPEN_CALLS_MAX: usize = 16;
/// The time after its last fact at which a session without open actions ends: one day.
pub const IDLE_MS: u64 = 24 * 3600 * 1000;

/// One admitted session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    key: PublicKey,
    /// The event of another author that the session's next one answers.
    pub(crate) cause: EventId,
    /// The time of the last fact about it.
    heard: Time,
    /// The numbers of its calls.
    called: BTreeSet<u16>,
    /// The calls that are not proposed yet, by their numbers.
    waiting: BTreeMap<u16, Call>,
    /// The proposed actions that are not settled, with the numbers of their calls.
    open: BTreeMap<ActionId, u16>,
    /// The refused calls, by their numbers.
    refused: BTreeMap<u16, ActionId>,
    /// Its requests for another contract.
    pub(crate) requests: Requests,
    granted: OpenGrants,
    /// The outcome, once it was ended or cancelled.
    over: Option<TaskOutcome>,
}

/// A call that is not proposed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    tool: ToolName,
    pub(crate) args: Content,
    pub(crate) cause: EventId,
}

impl Session {
    pub(crate) fn new(meta: &Meta, key: PublicKey) -> Self {
        Self {
            key,
            cause: meta.id,
            heard: meta.stored,
            called: BTreeSet::new(),
            waiting: BTreeMap::new(),
            open: BTreeMap::new(),
            refused: BTreeMap::new(),
            requests: Requests::default(),
            granted: OpenGrants::default(),
            over: None,
        }
    }

    pub(crate) const fn granted(&self) -> &OpenGrants {
        &self.granted
    }

    /// Takes a call that the session's key has signed for it here; any other changes nothing.
    pub(crate) fn call(
        &mut self,
        meta: &Meta,
        here: (DeploymentId, TaskId),
        (statement, args): (&Signed, Content),
    ) {
        let Ok(Statement::Call(said)) = statement.open(&self.key) else {
            return;
        };
        let CallStatement {
            deployment,
            task,
            number,
            tool,
            args: signed,
        } = said;
        let fits = (deployment, task) == here && signed == args && number < CALLS_MAX;
        if !fits || self.over.is_some() || !self.called.insert(number) {
            return;
        }
        self.heard = meta.stored;
        let cause = meta.id;
        self.waiting.insert(number, Call { tool, args, cause });
    }

    /// Ends it, if its key has signed that.
    pub(crate) fn end(
        &mut self,
        meta: &Meta,
        (deployment, task): (DeploymentId, TaskId),
        statement: &Signed,
    ) {
        let Ok(Statement::End(said)) = statement.open(&self.key) else {
            return;
        };
        if (said.deployment, said.task) == (deployment, task) {
            self.stop(meta, TaskOutcome::Succeeded);
        }
    }

    /// Proposes nothing more, and ends with this outcome once no action is open. The first outcome stays.
    pub(crate) fn stop(&mut self, meta: &Meta, outcome: TaskOutcome) {
        self.over.get_or_insert(outcome);
        self.waiting.clear();
        self.cause = meta.id;
    }

    pub(crate) fn propose(&mut self, meta: &Meta, fact: &ActionProposed) {
        self.waiting.remove(&fact.index);
        self.open.insert(fact.action, fact.index);
        self.heard = meta.stored;
    }

    /// Folds a request of its own for another contract.
    pub(crate) fn request(&mut self, meta: &Meta, fact: &ContractRequested) {
        self.waiting.remove(&fact.index);
        self.requests.make(fact.request);
        self.heard = meta.stored;
    }

    /// The request that a call wants; none if it names no refused call, or if the session may make no more.
    pub(crate) fn requested(&self, number: u16, call: &Call, args: &[u8]) -> Option<NewRequest> {
        if !call.is_request() {
            return None;
        }
        let (refused, reason) = request::read(args)?;
        let refused = u16::try_from(refused.as_u64()?).ok()?;
        Some(NewRequest {
            request: self.requests.next()?,
            index: number,
            item: 0,
            action: *self.refused.get(&refused)?,
            reason,
        })
    }

    /// Folds a refusal. It counts only before a grant, because a granted action may have run.
    pub(crate) fn refuse(&mut self, meta: &Meta, action: ActionId) {
        if !self.granted.has(action) {
            if let Some(number) = self.open.get(&action) {
                self.refused.insert(*number, action);
            }
            self.settle(meta, action);
        }
    }

    pub(crate) fn grant(&mut self, meta: &Meta, draft: &DraftGrant) {
        if self.open.contains_key(&draft.action) {
            self.granted.grant(meta, draft);
        }
    }

    /// Folds a fact about a granted action.
    pub(crate) fn hear(&mut self, meta: &Meta, action: ActionId, heard: Heard<'_>) {
        if self.granted.hear(meta, action, heard).is_some() {
            self.settle(meta, action);
        }
    }

    fn settle(&mut self, meta: &Meta, action: ActionId) {
        self.open.remove(&action);
        self.heard = meta.stored;
        self.cause = meta.id;
    }

    /// The calls that may be proposed now, in the order of their numbers. A request waits for the end of the one before.
    pub(crate) fn ready(&self) -> impl Iterator<Item = (u16, &Call)> {
        let room = OPEN_CALLS_MAX.saturating_sub(self.open.len());
        let room = if self.requests.is_moving() { 0 } else { room };
        let may_ask = self.requests.may_ask();
        self.waiting
            .iter()
            .filter(move |(_, call)| may_ask || !call.is_request())
            .take(room)
            .map(|(number, call)| (*number, call))
    }

    /// The arguments of a call that is not proposed yet.
    pub(crate) fn waits_for(&self, number: u16) -> Option<Content> {
        Some(self.waiting.get(&number)?.args)
    }

    /// The outcome, once it was ended or cancelled and no action is open.
    pub(crate) fn outcome(&self) -> Option<TaskOutcome> {
        self.over.filter(|_| self.open.is_empty())
    }

    /// The time at which it ends because nothing happened in it; none while an action is open, or a call waits for something else
    /// than the answer to a request.
    pub(crate) fn idle_at(&self) -> Option<Time> {
        let waits = !self.waiting.is_empty() && self.requests.may_ask();
        let is_idle = self.open.is_empty() && !waits && self.over.is_none();
        is_idle.then(|| self.heard.plus_ms(IDLE_MS))
    }
}

impl Call {
    /// Returns true if it asks for another contract.
    fn is_request(&self) -> bool {
        self.tool.as_str() == REQUEST_TOOL
    }

    /// The proposal of the call, with the arguments where the engine put them.
    pub(crate) fn proposal(
        &self,
        number: u16,
        action: ActionId,
        args: Content,
    ) -> Option<ActionProposed> {
        let step = format!("call-{number}");
        Some(ActionProposed {
            action,
            step: step.parse().ok()?,
            index: number,
            item: 0,
            items: 1,
            attempt: 1,
            tool: self.tool.clone(),
            args,
        })
    }
}

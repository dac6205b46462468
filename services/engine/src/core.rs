//! Implements the engine without I/O: its open sessions and dialogues, their next proposals, and passed deadlines.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use actor::{Core, Key, Outbox};
use bus_schema::{
    ActionId, AmendStatement, ContractAnswered, ContractRequested, DeploymentId, Digest, Draft,
    EngineFact, EventId, Meta, PublicKey, Seen, TaskAdmitted, TaskFinished, TaskId, TaskOutcome,
    Time,
};
use proposer::{DRAFTS_AT_ONCE, Found, Heard, OpenGrants};
use serde::{Deserialize, Serialize};

use crate::dialogue::{self, Dialogue, Held, Next};
use crate::fetch::{Fetch, FetchPurpose, Fetched};
use crate::request::NewRequest;
use crate::session::Session;

/// Most bytes of fetched arguments in memory; at more, those of other sessions are fetched again when needed.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The engine's state: the admitted sessions and dialogues that have not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenTasks {
    pub(crate) deployment: Option<DeploymentId>,
    sessions: BTreeMap<TaskId, Session>,
    pub(crate) dialogues: BTreeMap<TaskId, Dialogue>,
}

/// The core of the engine.
#[derive(Debug, Default)]
pub struct EngineCore {
    /// The key of the owner, whose words count.
    pub(crate) owner: Option<PublicKey>,
    pub(crate) tasks: OpenTasks,
    /// The times at which passed deadlines are to be recorded.
    pub(crate) due: BTreeSet<(Time, TaskId, ActionId)>,
    /// The times at which idle sessions end.
    idle: BTreeSet<(Time, TaskId)>,
    /// Fetched arguments; none for those that were erased. Losing them costs time only.
    held: BTreeMap<(TaskId, u16), Option<Vec<u8>>>,
    held_bytes: usize,
    /// The fetched contents of dialogues.
    pub(crate) parts: Held,
    /// The tasks that may have something to do. A task without an entry waits for the record.
    pub(crate) wishes: RefCell<BTreeSet<TaskId>>,
    /// The dialogues that wait for a time.
    pub(crate) later: RefCell<BTreeSet<(Time, TaskId)>>,
}

impl EngineCore {
    /// A core that takes the words of this owner alone.
    #[must_use]
    pub fn new(owner: PublicKey) -> Self {
        Self {
            owner: Some(owner),
            ..Self::default()
        }
    }

    /// The number of open sessions and dialogues.
    #[must_use]
    pub fn open(&self) -> usize {
        self.tasks.sessions.len() + self.tasks.dialogues.len()
    }

    /// The contents that it waits for and that [`Core::next`] requested; `now` is bus time.
    #[must_use]
    pub fn waits_for(&self, now: Time) -> Vec<Fetch> {
        let of = |(task, session): (&TaskId, &Session)| {
            let task = *task;
            let missing = session
                .ready()
                .filter(move |(number, _)| !self.held.contains_key(&(task, *number)));
            let fetch = missing.map(move |(number, call)| Fetch::of_call(task, number, call.args));
            fetch.collect::<Vec<_>>()
        };
        let parts = self.tasks.dialogues.iter().flat_map(|(task, dialogue)| {
            match dialogue::next(*task, dialogue, &self.parts, now) {
                Next::Fetch(parts) => parts
                    .into_iter()
                    .map(|part| Fetch::of_dialogue(*task, part))
                    .collect(),
                Next::Wait
                | Next::Pause(_)
                | Next::Propose(_)
                | Next::Request(_)
                | Next::Finish(_) => Vec::new(),
            }
        });
        self.tasks
            .sessions
            .iter()
            .flat_map(of)
            .chain(parts)
            .collect()
    }

    /// Adds the session or the dialogue of an admitted task.
    fn admit(&mut self, meta: &Meta, id: TaskId, fact: &TaskAdmitted) {
        if let Some(document) = fact.dialogue {
            let new = || Dialogue::new(meta, fact.playbook, document);
            self.tasks.dialogues.entry(id).or_insert_with(new);
            self.change_dialogue(id, |_| ());
        } else if let Some(key) = fact.session {
            let new = || Session::new(meta, key);
            self.tasks.sessions.entry(id).or_insert_with(new);
            self.change(id, |_| ());
        }
    }

    /// Changes a session, and updates its deadlines.
    fn change(&mut self, id: TaskId, change: impl FnOnce(&mut Session)) {
        let Some(session) = self.tasks.sessions.get_mut(&id) else {
            return;
        };
        for due in deadlines(id, session.granted()) {
            self.due.remove(&due);
        }
        if let Some(at) = session.idle_at() {
            self.idle.remove(&(at, id));
        }
        change(session);
        self.due.extend(deadlines(id, session.granted()));
        if let Some(at) = session.idle_at() {
            self.idle.insert((at, id));
        }
        self.wishes.get_mut().insert(id);
    }

    /// Returns an answer of the owner to a request of this task.
    pub(crate) fn answer(&self, id: TaskId, fact: &ContractAnswered) -> Option<AmendStatement> {
        fact.answer(self.owner.as_ref()?, (self.tasks.deployment, id))
    }

    /// Folds a request of a session for another contract.
    fn requested(&mut self, meta: &Meta, id: TaskId, fact: &ContractRequested) {
        if is_own(meta) {
            self.change(id, |session| session.request(meta, fact));
            self.forget(|of, number| of == id && number == fact.index);
        }
    }

    /// Folds an answer to a request of a session.
    fn answered(&mut self, id: TaskId, fact: &ContractAnswered) {
        if let Some(said) = self.answer(id, fact) {
            self.change(id, |session| session.requests.answer(&said));
        }
    }

    /// Folds policy's verdict on a contract, for the tasks that wait for it.
    fn judged(&mut self, contract: &Digest, in_force: bool) {
        let OpenTasks {
            sessions,
            dialogues,
            ..
        } = &mut self.tasks;
        let sessions = sessions.iter_mut().map(|(id, of)| (id, &mut of.requests));
        let dialogues = dialogues.iter_mut().map(|(id, of)| (id, &mut of.requests));
        for (id, requests) in sessions.chain(dialogues) {
            if requests.judged(contract, in_force) {
                self.wishes.get_mut().insert(*id);
            }
        }
    }

    fn remove(&mut self, id: TaskId) {
        self.change(id, |_| ());
        if let Some(session) = self.tasks.sessions.remove(&id) {
            for due in deadlines(id, session.granted()) {
                self.due.remove(&due);
            }
            if let Some(at) = session.idle_at() {
                self.idle.remove(&(at, id));
            }
        }
        self.wishes.get_mut().remove(&id);
        self.forget(|of, _| of == id);
    }

    /// Drops held arguments.
    fn forget(&mut self, drops: impl Fn(TaskId, u16) -> bool) {
        self.held.retain(|(id, number), _| !drops(*id, *number));
        let bytes = self.held.values().flatten().map(Vec::len);
        self.held_bytes = bytes.sum();
    }

    /// Ends sessions in which nothing happened for a day.
    fn end_idle(&self, out: &mut Outbox<'_, Self>) {
        for &(at, id) in &self.idle {
            if out.now() <= at {
                out.wake(at);
                return;
            }
            if let Some(session) = self.tasks.sessions.get(&id)
                && session.idle_at() == Some(at)
                && out.idle(Some(id))
            {
                out.append(finished(id, TaskOutcome::Succeeded).because(session.cause));
            }
        }
    }

    /// Emits a session's end, its next proposal, or its fetches. `false`: it waits for the record.
    fn serve(&self, id: TaskId, out: &mut Outbox<'_, Self>) -> bool {
        if let Some(dialogue) = self.tasks.dialogues.get(&id) {
            return self.serve_dialogue(id, dialogue, out);
        }
        let Some(session) = self.tasks.sessions.get(&id) else {
            return false;
        };
        if let Some(outcome) = session.outcome() {
            out.append(finished(id, outcome).because(session.cause));
            return true;
        }
        let mut waits = false;
        for (number, call) in session.ready() {
            match self.held.get(&(id, number)) {
                Some(Some(bytes)) => {
                    if let Some(request) = session.requested(number, call, bytes) {
                        ask(id, &request, call.cause, out);
                        return true;
                    }
                    let Ok(args) = out.seal(bytes) else {
                        continue;
                    };
                    let Some(fact) = call.proposal(number, out.action_id(), args.content()) else {
                        continue;
                    };
                    out.append(Draft::of(id, fact).with(args).because(call.cause));
                    return true;
                }
                // Nobody can execute it; it stays open until the session ends.
                Some(None) => {}
                None => {
                    let args = call.args;
                    let fetch = move || Fetch::of_call(id, number, args);
                    out.effect(Key::Digest("arguments", *args.digest()), fetch);
                    waits = true;
                }
            }
        }
        waits
    }
}

impl Core for EngineCore {
    type Me = bus_schema::Engine;
    type Fact = EngineFact;
    type State = OpenTasks;
    type Effect = Fetch;
    type Input = Fetched;

    fn state(&self) -> &OpenTasks {
        &self.tasks
    }

    fn restore(&mut self, state: OpenTasks) {
        *self = Self {
            owner: self.owner,
            tasks: state,
            ..Self::default()
        };
        for (&id, session) in &self.tasks.sessions {
            self.due.extend(deadlines(id, session.granted()));
            self.idle.extend(session.idle_at().map(|at| (at, id)));
            self.wishes.get_mut().insert(id);
        }
        for (&id, dialogue) in &self.tasks.dialogues {
            self.due.extend(deadlines(id, dialogue.granted()));
            self.wishes.get_mut().insert(id);
        }
    }

    fn fold(&mut self, seen: Seen<EngineFact>) {
        let (meta, fact) = seen.into_parts();
        if self.fold_dialogue(&meta, &fact) {
            return;
        }
        let here = |deployment: Option<DeploymentId>, id| deployment.map(|here| (here, id));
        let deployment = self.tasks.deployment;
        let (id, action, heard) = match &fact {
            EngineFact::RosterChanged(_, fact) => {
                self.tasks.deployment = Some(fact.deployment);
                return;
            }
            EngineFact::TaskAdmitted(id, fact) => return self.admit(&meta, *id, fact),
            EngineFact::TaskCancelled(id, _) => {
                return self.change(*id, |session| session.stop(&meta, TaskOutcome::Cancelled));
            }
            EngineFact::TaskFinished(id, _) => {
                if is_own(&meta) {
                    self.remove(*id);
                }
                return;
            }
            EngineFact::SessionCalled(id, fact) => {
                if let Some(here) = here(deployment, *id) {
                    let said = (&fact.statement, fact.args);
                    self.change(*id, |session| session.call(&meta, here, said));
                }
                return;
            }
            EngineFact::SessionEnded(id, fact) => {
                if let Some(here) = here(deployment, *id) {
                    self.change(*id, |session| session.end(&meta, here, &fact.statement));
                }
                return;
            }
            EngineFact::ActionProposed(id, fact) => {
                if is_own(&meta) {
                    self.change(*id, |session| session.propose(&meta, fact));
                    self.forget(|of, number| of == *id && number == fact.index);
                }
                return;
            }
            EngineFact::ContractRequested(id, fact) => return self.requested(&meta, *id, fact),
            EngineFact::ContractAnswered(id, fact) => return self.answered(*id, fact),
            EngineFact::ContractActivated(_, fact) => return self.judged(&fact.contract, true),
            EngineFact::ContractRejected(_, fact) => return self.judged(&fact.contract, false),
            // Words are said to dialogues, which are folded above.
            EngineFact::TaskSaid(..) => return,
            EngineFact::ActionGranted(id, fact) => {
                return self.change(*id, |session| session.grant(&meta, &fact.grant.draft));
            }
            EngineFact::ActionRefused(id, fact) => {
                return self.change(*id, |session| session.refuse(&meta, fact.action));
            }
            EngineFact::ActionStarted(id, fact) => (*id, fact.action, Heard::Started),
            EngineFact::ActionFinished(id, fact) => (*id, fact.action, Heard::Finished(fact)),
            EngineFact::ActionDeclined(id, fact) => (*id, fact.action, Heard::Declined),
            EngineFact::ActionExpired(id, fact) => (*id, fact.action, Heard::Expired),
        };
        self.change(id, |session| session.hear(&meta, action, heard));
    }

    fn input(&mut self, fetched: Fetched) {
        let Fetched { fetch, found } = fetched;
        let bytes = match found {
            Found::NoAnswer => return,
            Found::Erased => None,
            Found::Bytes(bytes) => Some(bytes),
        };
        let number = match fetch.purpose {
            FetchPurpose::Call(number) => number,
            FetchPurpose::Dialogue { whole } => {
                if self.tasks.dialogues.contains_key(&fetch.task) {
                    let part = (fetch.stored, whole);
                    let drops = self.parts.put(fetch.task, part, bytes);
                    let wishes = self.wishes.get_mut();
                    wishes.insert(fetch.task);
                    if drops {
                        wishes.extend(self.tasks.dialogues.keys().copied());
                    }
                }
                return;
            }
        };
        let session = self.tasks.sessions.get(&fetch.task);
        let wanted = session.and_then(|session| session.waits_for(number));
        if wanted != Some(fetch.stored.content) {
            return;
        }
        let len = bytes.as_ref().map_or(0, Vec::len);
        if self.held_bytes + len > HELD_BYTES_MAX {
            self.forget(|of, _| of != fetch.task);
            let others = self.tasks.sessions.keys().copied();
            self.wishes.get_mut().extend(others);
        }
        self.held.insert((fetch.task, number), bytes);
        self.held_bytes += len;
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        let OpenTasks {
            sessions,
            dialogues,
            ..
        } = &self.tasks;
        proposer::expire(&self.due, out, |id| {
            let session = sessions.get(&id).map(Session::granted);
            session.or_else(|| dialogues.get(&id).map(Dialogue::granted))
        });
        self.end_idle(out);
        self.resume_later(out);
        let mut drafts = 0;
        self.wishes.borrow_mut().retain(|&id| {
            if drafts == DRAFTS_AT_ONCE || !out.idle(Some(id)) {
                return true;
            }
            let keeps = self.serve(id, out);
            drafts += usize::from(!out.idle(Some(id)));
            keeps
        });
    }
}

pub(crate) fn is_own(meta: &Meta) -> bool {
    meta.by == bus_schema::AuthorId::Engine
}

/// Appends a request for another contract.
pub(crate) fn ask(
    id: TaskId,
    request: &NewRequest,
    cause: EventId,
    out: &mut Outbox<'_, EngineCore>,
) {
    let Ok(reason) = out.seal(request.reason.as_bytes()) else {
        return;
    };
    let fact = ContractRequested {
        request: request.request,
        index: request.index,
        item: request.item,
        action: request.action,
        reason: reason.content(),
    };
    out.append(Draft::of(id, fact).with(reason).because(cause));
}

fn finished(id: TaskId, outcome: TaskOutcome) -> Draft<bus_schema::Engine> {
    let fact = TaskFinished {
        outcome,
        detail: None,
    };
    Draft::of(id, fact)
}

/// The deadlines of a task's granted actions.
pub(crate) fn deadlines(id: TaskId, granted: &OpenGrants) -> Vec<(Time, TaskId, ActionId)> {
    let due = |action| Some((granted.due(action)?.0, id, action));
    granted.actions().filter_map(due).collect()
}

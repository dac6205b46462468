//! Implements the engine without I/O: its open sessions, their next proposals, and passed deadlines.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use actor::{Core, Key, Outbox};
use bus_schema::{
    ActionId, Content, DeploymentId, Draft, EngineFact, Meta, Seen, TaskFinished, TaskId,
    TaskOutcome, Time,
};
use proposer::{DRAFTS_AT_ONCE, Found, Heard};
use serde::{Deserialize, Serialize};

use crate::session::Session;

/// Most bytes of fetched arguments in memory; at more, those of other sessions are fetched again when needed.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The engine's state: the admitted sessions that have not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    deployment: Option<DeploymentId>,
    open: BTreeMap<TaskId, Session>,
}

/// Arguments to be fetched from the gateway's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// The session.
    pub task: TaskId,
    /// The number of the call.
    pub number: u16,
    /// The arguments.
    pub args: Content,
}

/// The result of a fetch.
#[derive(Debug)]
pub struct Fetched {
    /// The fetch.
    pub fetch: Fetch,
    /// The arguments that were found.
    pub found: Found,
}

/// The core of the engine.
#[derive(Debug, Default)]
pub struct EngineCore {
    sessions: Sessions,
    /// The times at which passed deadlines are to be recorded.
    due: BTreeSet<(Time, TaskId, ActionId)>,
    /// The times at which idle sessions end.
    idle: BTreeSet<(Time, TaskId)>,
    /// Fetched arguments; none for those that were erased. Losing them costs time only.
    held: BTreeMap<(TaskId, u16), Option<Vec<u8>>>,
    held_bytes: usize,
    /// The sessions that may have something to do. A session without an entry waits for the record.
    wishes: RefCell<BTreeSet<TaskId>>,
}

impl EngineCore {
    /// The number of open sessions.
    #[must_use]
    pub fn open(&self) -> usize {
        self.sessions.open.len()
    }

    /// The arguments that it waits for and that [`Core::next`] requested.
    #[must_use]
    pub fn waits_for(&self) -> Vec<Fetch> {
        let of = |(task, session): (&TaskId, &Session)| {
            let task = *task;
            let missing = session
                .ready()
                .filter(move |(number, _)| !self.held.contains_key(&(task, *number)));
            let fetch = missing.map(move |(number, call)| Fetch {
                task,
                number,
                args: call.args,
            });
            fetch.collect::<Vec<_>>()
        };
        self.sessions.open.iter().flat_map(of).collect()
    }

    /// Changes a session, and updates its deadlines.
    fn change(&mut self, id: TaskId, change: impl FnOnce(&mut Session)) {
        let Some(session) = self.sessions.open.get_mut(&id) else {
            return;
        };
        for due in deadlines(id, session) {
            self.due.remove(&due);
        }
        if let Some(at) = session.idle_at() {
            self.idle.remove(&(at, id));
        }
        change(session);
        self.due.extend(deadlines(id, session));
        if let Some(at) = session.idle_at() {
            self.idle.insert((at, id));
        }
        self.wishes.get_mut().insert(id);
    }

    fn remove(&mut self, id: TaskId) {
        self.change(id, |_| ());
        if let Some(session) = self.sessions.open.remove(&id) {
            for due in deadlines(id, &session) {
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
            if let Some(session) = self.sessions.open.get(&id)
                && out.idle(Some(id))
            {
                out.append(finished(id, TaskOutcome::Succeeded).because(session.cause));
            }
        }
    }

    /// Emits a session's end, its next proposal, or its fetches. `false`: it waits for the record.
    fn serve(&self, id: TaskId, out: &mut Outbox<'_, Self>) -> bool {
        let Some(session) = self.sessions.open.get(&id) else {
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
                    let fetch = move || Fetch {
                        task: id,
                        number,
                        args,
                    };
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
    type State = Sessions;
    type Effect = Fetch;
    type Input = Fetched;

    fn state(&self) -> &Sessions {
        &self.sessions
    }

    fn restore(&mut self, state: Sessions) {
        *self = Self {
            sessions: state,
            ..Self::default()
        };
        for (&id, session) in &self.sessions.open {
            self.due.extend(deadlines(id, session));
            self.idle.extend(session.idle_at().map(|at| (at, id)));
            self.wishes.get_mut().insert(id);
        }
    }

    fn fold(&mut self, seen: Seen<EngineFact>) {
        let (meta, fact) = seen.into_parts();
        let here = |deployment: Option<DeploymentId>, id| deployment.map(|here| (here, id));
        let deployment = self.sessions.deployment;
        let (id, action, heard) = match &fact {
            EngineFact::RosterChanged(_, fact) => {
                self.sessions.deployment = Some(fact.deployment);
                return;
            }
            EngineFact::TaskAdmitted(id, fact) => {
                if let Some(key) = fact.session {
                    let new = || Session::new(&meta, key);
                    self.sessions.open.entry(*id).or_insert_with(new);
                    self.change(*id, |_| ());
                }
                return;
            }
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
        let session = self.sessions.open.get(&fetch.task);
        let wanted = session.and_then(|session| session.waits_for(fetch.number));
        if wanted != Some(fetch.args) {
            return;
        }
        let len = bytes.as_ref().map_or(0, Vec::len);
        if self.held_bytes + len > HELD_BYTES_MAX {
            self.forget(|of, _| of != fetch.task);
            let others = self.sessions.open.keys().copied();
            self.wishes.get_mut().extend(others);
        }
        self.held.insert((fetch.task, fetch.number), bytes);
        self.held_bytes += len;
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        let sessions = &self.sessions.open;
        proposer::expire(&self.due, out, |id| Some(sessions.get(&id)?.granted()));
        self.end_idle(out);
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

fn is_own(meta: &Meta) -> bool {
    meta.by == bus_schema::AuthorId::Engine
}

fn finished(id: TaskId, outcome: TaskOutcome) -> Draft<bus_schema::Engine> {
    let fact = TaskFinished {
        outcome,
        detail: None,
    };
    Draft::of(id, fact)
}

/// The deadlines of a session's granted actions.
fn deadlines(id: TaskId, session: &Session) -> Vec<(Time, TaskId, ActionId)> {
    let granted = session.granted();
    let due = |action| Some((granted.due(action)?.0, id, action));
    granted.actions().filter_map(due).collect()
}

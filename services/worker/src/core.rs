//! Implements the worker without I/O: its open tasks, their next requests, and passed deadlines.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    num::NonZeroU16,
};

use actor::{Core, Key, Outbox};
use bus_schema::{ActionId, AuthorId, Content, Meta, Seen, TaskAdmitted, TaskId, Time, WorkerFact};
use proposer::{DRAFTS_AT_ONCE, Found, Heard};
use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, Need, answer},
    held::{ContentKey, Held, Store},
    task::{Stored, Task},
};

/// Largest number of tasks that wait for contents.
const FETCHING_TASKS_MAX: usize = 256;
/// Largest number of contents that one task waits for.
const FETCHES_OF_TASK_MAX: usize = 64;

/// The worker's state: the admitted, unfinished tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    open: BTreeMap<TaskId, Task>,
}

/// A content to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// The task that needs it.
    pub task: TaskId,
    /// Its key in the cache.
    pub slot: ContentKey,
    /// The author that put it there.
    pub by: AuthorId,
    /// Its name.
    pub content: Content,
}

/// The result of a fetch.
#[derive(Debug)]
pub struct Fetched {
    /// The fetch.
    pub fetch: Fetch,
    /// The content that was found.
    pub found: Found,
}

/// A request that a task may have, with the contents that it needs first.
#[derive(Default)]
struct PendingFetch {
    need: Need,
    /// True if memory for its needs is reserved and they are being fetched.
    begun: bool,
    missing: Vec<(ContentKey, Stored)>,
    /// The moment before which nothing is to be decided.
    until: Time,
}

impl PendingFetch {
    fn is_decidable(&self) -> bool {
        self.need.contents.is_empty() || (self.begun && self.missing.is_empty())
    }

    fn fetches(&self, task: TaskId) -> impl Iterator<Item = Fetch> + '_ {
        let some = self.missing.iter().take(FETCHES_OF_TASK_MAX);
        some.map(move |&(slot, Stored { by, content })| Fetch {
            task,
            slot,
            by,
            content,
        })
    }
}

/// The core of the worker.
pub struct WorkerCore {
    tasks: Tasks,
    tasks_max: NonZeroU16,
    /// The open tasks in the order of their admission; the first `working` of them are in work.
    order: BTreeMap<u64, TaskId>,
    working: usize,
    /// The place in the order of the last task in work.
    frontier: u64,
    /// The times at which passed deadlines are to be recorded.
    due: BTreeSet<(Time, TaskId, ActionId)>,
    store: Store,
    /// The pending requests, in the order of tasks. A task without one waits for the record. Losing it costs time only.
    wishes: RefCell<BTreeMap<u64, PendingFetch>>,
}

impl WorkerCore {
    /// Creates a core that works on at most `tasks_max` tasks at a time and holds at most `held_bytes_max` bytes
    /// of fetched contents ([`crate::HELD_BYTES_MAX`] in the service).
    #[must_use]
    pub fn new(tasks_max: NonZeroU16, held_bytes_max: usize) -> Self {
        Self {
            tasks: Tasks::default(),
            tasks_max,
            order: BTreeMap::new(),
            working: 0,
            frontier: 0,
            due: BTreeSet::new(),
            store: Store::new(held_bytes_max),
            wishes: RefCell::default(),
        }
    }

    /// The number of admitted, unfinished tasks.
    #[must_use]
    pub fn open(&self) -> usize {
        self.order.len()
    }

    /// The contents that it waits for and that [`Core::next`] requested.
    #[must_use]
    pub fn waits_for(&self) -> Vec<Fetch> {
        let wishes = self.wishes.borrow();
        let known = wishes
            .iter()
            .filter_map(|(seq, fetch)| Some((*self.order.get(seq)?, fetch)));
        known.flat_map(|(id, fetch)| fetch.fetches(id)).collect()
    }

    /// The number of bytes that fetched contents take in memory.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.store.bytes()
    }

    fn admit(&mut self, meta: &Meta, id: TaskId, fact: &TaskAdmitted) {
        if let Entry::Vacant(place) = self.tasks.open.entry(id) {
            place.insert(Task::new(meta, fact));
            self.order.insert(meta.seq, id);
            self.work_on_more();
        }
    }

    /// Starts work on tasks in the order of their admission.
    fn work_on_more(&mut self) {
        while self.working < usize::from(self.tasks_max.get()) {
            let Some((&next, _)) = self.order.range(self.frontier.saturating_add(1)..).next()
            else {
                return;
            };
            self.frontier = next;
            self.working += 1;
            self.wishes.get_mut().insert(next, PendingFetch::default());
        }
    }

    fn finish(&mut self, id: TaskId) {
        let Some(task) = self.tasks.open.remove(&id) else {
            return;
        };
        for action in task.granted().actions() {
            if let Some((due, _)) = task.granted().due(action) {
                self.due.remove(&(due, id, action));
            }
        }
        self.order.remove(&task.admitted);
        self.wishes.get_mut().remove(&task.admitted);
        self.store.forget(id);
        if task.admitted <= self.frontier {
            self.working -= 1;
            self.work_on_more();
        }
    }

    /// Cancels a task, in work or not.
    fn cancel(&mut self, meta: &Meta, id: TaskId) {
        if let Some(task) = self.tasks.open.get_mut(&id) {
            task.cancel(meta);
            self.wishes
                .get_mut()
                .insert(task.admitted, PendingFetch::default());
        }
    }

    /// Changes a task by a fact about one of its actions, and updates its deadline and request.
    fn change(&mut self, id: TaskId, action: ActionId, change: impl FnOnce(&mut Task)) {
        let Some(task) = self.tasks.open.get_mut(&id) else {
            return;
        };
        let before = task.granted().due(action);
        change(task);
        let after = task.granted().due(action);
        if let Some((due, _)) = before {
            self.due.remove(&(due, id, action));
        }
        match after {
            Some((due, _)) => drop(self.due.insert((due, id, action))),
            // A granted action only waits; any other may let the task continue.
            None if task.admitted <= self.frontier => {
                self.wishes.get_mut().entry(task.admitted).or_default();
            }
            None => {}
        }
    }

    /// Emits a task's fetches, or its draft if that can be decided. `false`: it waits for the record.
    fn serve(
        &self,
        id: TaskId,
        fetch: &mut PendingFetch,
        reserved: &mut Reserved,
        out: &mut Outbox<'_, Self>,
    ) -> bool {
        if fetch.is_decidable() {
            reserved.end(fetch);
            if !self.decide(id, fetch, out) {
                return false;
            }
        }
        if !fetch.need.contents.is_empty() && reserved.begin(fetch) {
            let missing = |(slot, _): &(&ContentKey, &Stored)| self.store.get(id, **slot).is_none();
            let missing = fetch.need.contents.iter().filter(missing);
            fetch.missing = missing.map(|(slot, stored)| (*slot, *stored)).collect();
        }
        for fetch in fetch.fetches(id) {
            out.effect(Key::Digest("content", *fetch.content.digest()), || fetch);
        }
        true
    }

    /// Decides a task's next request. `false`: it waits for the record.
    fn decide(&self, id: TaskId, fetch: &mut PendingFetch, out: &mut Outbox<'_, Self>) -> bool {
        let Some(task) = self.tasks.open.get(&id) else {
            return false;
        };
        *fetch = PendingFetch::default();
        let draft = match answer(id, task, &self.store, out.now()) {
            Answer::Wait => return false,
            Answer::Sleep(until) => {
                fetch.until = until;
                out.wake(until);
                None
            }
            Answer::Fetch(need) => {
                fetch.need = need;
                None
            }
            Answer::Propose(proposal) => {
                proposal.draft(id, out.action_id(), |bytes| out.seal(bytes))
            }
            Answer::Finish(ending) => ending.draft(id, |bytes| out.seal(bytes)),
        };
        if let Some(draft) = draft {
            out.append(draft.because(task.cause));
        }
        true
    }

    fn pinned(&mut self) -> BTreeSet<(TaskId, ContentKey)> {
        let order = &self.order;
        let begun = self
            .wishes
            .get_mut()
            .iter()
            .filter(|(_, fetch)| fetch.begun)
            .filter_map(|(seq, fetch)| Some((*order.get(seq)?, fetch)));
        begun
            .flat_map(|(id, fetch)| fetch.need.contents.keys().map(move |slot| (id, *slot)))
            .collect()
    }
}

/// The memory that tasks have reserved for their fetches.
struct Reserved {
    tasks: usize,
    bytes: usize,
    bytes_max: usize,
    /// True if a task got no memory: all later tasks wait too, so that it cannot wait for ever.
    queued: bool,
}

impl Reserved {
    /// Reserves memory for a request, if it has none and enough is free.
    fn begin(&mut self, fetch: &mut PendingFetch) -> bool {
        if fetch.begun {
            return false;
        }
        let bytes = self.bytes.saturating_add(fetch.need.cost);
        self.queued |= self.tasks >= FETCHING_TASKS_MAX || bytes > self.bytes_max;
        if !self.queued {
            self.bytes = bytes;
            self.tasks += 1;
            fetch.begun = true;
        }
        fetch.begun
    }

    /// Releases the memory of a request.
    fn end(&mut self, fetch: &PendingFetch) {
        if fetch.begun {
            self.bytes -= fetch.need.cost;
            self.tasks -= 1;
        }
    }
}

impl Core for WorkerCore {
    type Me = bus_schema::Worker;
    type Fact = WorkerFact;
    type State = Tasks;
    type Effect = Fetch;
    type Input = Fetched;

    fn state(&self) -> &Tasks {
        &self.tasks
    }

    fn restore(&mut self, state: Tasks) {
        *self = Self::new(self.tasks_max, self.store.bytes_max());
        self.tasks = state;
        for (&id, task) in &self.tasks.open {
            self.order.insert(task.admitted, id);
            let due = |action| Some((task.granted().due(action)?.0, id, action));
            self.due.extend(task.granted().actions().filter_map(due));
        }
        self.work_on_more();
    }

    fn fold(&mut self, seen: Seen<WorkerFact>) {
        let (meta, fact) = seen.into_parts();
        let (id, action, heard) = match &fact {
            WorkerFact::TaskAdmitted(_, fact)
                if fact.session.is_some() || fact.dialogue.is_some() =>
            {
                return;
            }
            WorkerFact::TaskAdmitted(id, fact) => return self.admit(&meta, *id, fact),
            WorkerFact::TaskCancelled(id, _) => return self.cancel(&meta, *id),
            WorkerFact::TaskStopped(id, _) if id.is_of_run() => return self.cancel(&meta, *id),
            WorkerFact::TaskStopped(..) => return,
            WorkerFact::TaskFinished(id, _) => return self.finish(*id),
            WorkerFact::ActionProposed(id, fact) => {
                return self.change(*id, fact.action, |task| task.propose(fact));
            }
            WorkerFact::ActionGranted(id, fact) => {
                let action = fact.grant.draft.action;
                return self.change(*id, action, |task| task.grant(&meta, *id, fact));
            }
            WorkerFact::ActionRefused(id, fact) => {
                return self.change(*id, fact.action, |task| task.refuse(&meta, fact.action));
            }
            WorkerFact::ApprovalRequested(id, fact) => {
                let action = fact.draft.action;
                return self.change(*id, action, |task| task.ask(action));
            }
            WorkerFact::ActionStarted(id, fact) => (*id, fact.action, Heard::Started),
            WorkerFact::ActionFinished(id, fact) => (*id, fact.action, Heard::Finished(fact)),
            WorkerFact::ActionDeclined(id, fact) => (*id, fact.action, Heard::Declined),
            WorkerFact::ActionExpired(id, fact) => (*id, fact.action, Heard::Expired),
        };
        self.change(id, action, |task| task.hear(&meta, action, heard));
    }

    fn input(&mut self, fetched: Fetched) {
        let Fetched { fetch, found } = fetched;
        let bytes = match found {
            Found::NoAnswer => return,
            Found::Erased => None,
            Found::Bytes(bytes) => Some(bytes),
        };
        let (id, slot) = (fetch.task, fetch.slot);
        let admitted = self.tasks.open.get(&id).map(|task| task.admitted);
        let pending = admitted.and_then(|seq| self.wishes.get_mut().get_mut(&seq));
        let Some(missing) = pending.map(|pending| &mut pending.missing) else {
            return;
        };
        let wanted = missing
            .iter()
            .position(|(one, stored)| *one == slot && stored.content == fetch.content);
        let Some(wanted) = wanted else {
            return;
        };
        missing.swap_remove(wanted);
        self.store
            .put(id, slot, &fetch.content, Held::new(slot, bytes));
        if self.store.is_full() {
            let pinned = self.pinned();
            self.store.shrink(&pinned);
        }
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        let tasks = &self.tasks.open;
        proposer::expire(&self.due, out, |id| Some(tasks.get(&id)?.granted()));
        let mut wishes = self.wishes.borrow_mut();
        let begun = || wishes.values().filter(|fetch| fetch.begun);
        let mut reserved = Reserved {
            tasks: begun().count(),
            bytes: begun().map(|fetch| fetch.need.cost).sum(),
            bytes_max: self.store.bytes_max(),
            queued: false,
        };
        let mut drafts = 0;
        wishes.retain(|seq, fetch| {
            let Some(&id) = self.order.get(seq) else {
                return false;
            };
            if out.now() < fetch.until {
                out.wake(fetch.until);
                return true;
            }
            if drafts == DRAFTS_AT_ONCE || !out.idle(Some(id)) {
                return true;
            }
            let waits = !self.serve(id, fetch, &mut reserved, out);
            drafts += usize::from(!out.idle(Some(id)));
            !waits
        });
    }
}

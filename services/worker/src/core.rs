//! The worker without its I/O: which tasks are open, what each wants next, and which deadlines have passed.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    num::NonZeroU16,
};

use actor::{Core, Key, Outbox};
use bus_schema::{
    ActionExpired, ActionId, AuthorId, Content, Draft, Meta, Seen, TaskAdmitted, TaskId, Time,
    WorkerFact,
};
use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, Need, answer},
    held::{ContentKey, Held, Store},
    task::{Said, Task},
};

/// Most drafts that one asking answers with; the rest is said when it is asked again.
const DRAFTS_AT_ONCE: usize = 64;
/// Most tasks that wait for contents at a time.
const FETCHING_TASKS_MAX: usize = 256;
/// Most contents that one task waits for at a time.
const FETCHES_OF_TASK_MAX: usize = 64;

/// What the worker remembers: the tasks that are admitted and not finished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    open: BTreeMap<TaskId, Task>,
}

/// A content to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// For whom.
    pub task: TaskId,
    /// As what.
    pub slot: ContentKey,
    /// Who put it there.
    pub by: AuthorId,
    /// Its name.
    pub content: Content,
}

/// What a fetch brought.
#[derive(Debug)]
pub struct Fetched {
    /// What was wanted.
    pub fetch: Fetch,
    /// What was found.
    pub found: Found,
}

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// The bytes.
    Bytes(Vec<u8>),
    /// They were erased.
    Erased,
    /// The bus did not answer; it is to be fetched again.
    NoAnswer,
}

/// That a task may want something, and what it fetches before it can say what.
#[derive(Default)]
struct PendingFetch {
    need: Need,
    /// Whether the memory for what it needs is reserved, and that is being fetched.
    begun: bool,
    missing: Vec<(ContentKey, Content)>,
}

impl PendingFetch {
    fn is_decidable(&self) -> bool {
        self.need.contents.is_empty() || (self.begun && self.missing.is_empty())
    }

    fn fetches(&self, task: TaskId) -> impl Iterator<Item = Fetch> + '_ {
        let some = self.missing.iter().take(FETCHES_OF_TASK_MAX);
        some.map(move |&(slot, content)| Fetch {
            task,
            slot,
            by: match slot {
                ContentKey::Playbook => AuthorId::Gateway,
                ContentKey::Output(_) => AuthorId::Runner,
            },
            content,
        })
    }
}

/// The core of the worker.
pub struct WorkerCore {
    tasks: Tasks,
    tasks_max: NonZeroU16,
    /// The open tasks in the order they were admitted; the first `working` of them are worked on.
    order: BTreeMap<u64, TaskId>,
    working: usize,
    /// The place in the order of the last task that is worked on.
    frontier: u64,
    /// When the passing of a deadline is to be put on record.
    due: BTreeSet<(Time, TaskId, ActionId)>,
    store: Store,
    /// By the order of tasks. A task that is not here waits for the record: to forget that costs time only.
    wishes: RefCell<BTreeMap<u64, PendingFetch>>,
}

impl WorkerCore {
    /// A core that works on at most `tasks_max` tasks at a time and holds at most `held_bytes_max` bytes of
    /// fetched contents ([`crate::HELD_BYTES_MAX`] in the service).
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

    /// How many tasks are admitted and not finished.
    #[must_use]
    pub fn open(&self) -> usize {
        self.order.len()
    }

    /// The contents it waits for: what [`Core::next`] has fetched beside it.
    #[must_use]
    pub fn waits_for(&self) -> Vec<Fetch> {
        let wishes = self.wishes.borrow();
        let known = wishes
            .iter()
            .filter_map(|(seq, wish)| Some((*self.order.get(seq)?, wish)));
        known.flat_map(|(id, wish)| wish.fetches(id)).collect()
    }

    /// How many bytes of memory fetched contents take.
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

    /// Takes up tasks in the order they were admitted.
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
        for action in task.granted() {
            if let Some((due, _)) = task.due(action) {
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

    /// Changes a task by a fact about one of its actions, and keeps up what follows from it.
    fn change(&mut self, id: TaskId, action: ActionId, change: impl FnOnce(&mut Task)) {
        let Some(task) = self.tasks.open.get_mut(&id) else {
            return;
        };
        let before = task.due(action);
        change(task);
        let after = task.due(action);
        if let Some((due, _)) = before {
            self.due.remove(&(due, id, action));
        }
        match after {
            Some((due, _)) => drop(self.due.insert((due, id, action))),
            // A granted action only waits; every other may have made room for something.
            None if task.admitted <= self.frontier => {
                self.wishes.get_mut().entry(task.admitted).or_default();
            }
            None => {}
        }
    }

    fn expire(&self, out: &mut Outbox<'_, Self>) {
        let mut said = 0;
        for &(due, id, action) in &self.due {
            if out.now() <= due || said == DRAFTS_AT_ONCE {
                out.wake(due);
                return;
            }
            let cause = self.tasks.open.get(&id).and_then(|task| task.due(action));
            if let Some((_, cause)) = cause
                && out.idle(Some(id))
            {
                out.append(Draft::of(id, ActionExpired { action }).because(cause));
                said += 1;
            }
        }
    }

    /// Says what a task wants, as far as that can be said by now. `false`: it waits for the record.
    fn serve(
        &self,
        id: TaskId,
        wish: &mut PendingFetch,
        reserved: &mut Reserved,
        out: &mut Outbox<'_, Self>,
    ) -> bool {
        if wish.is_decidable() {
            reserved.end(wish);
            if !self.decide(id, wish, out) {
                return false;
            }
        }
        if !wish.need.contents.is_empty() && reserved.begin(wish) {
            let missing =
                |(slot, _): &(&ContentKey, &Content)| self.store.get(id, **slot).is_none();
            let missing = wish.need.contents.iter().filter(missing);
            wish.missing = missing.map(|(slot, content)| (*slot, *content)).collect();
        }
        for fetch in wish.fetches(id) {
            out.effect(Key::Digest("content", *fetch.content.digest()), || fetch);
        }
        true
    }

    /// `false`: it waits for the record.
    fn decide(&self, id: TaskId, wish: &mut PendingFetch, out: &mut Outbox<'_, Self>) -> bool {
        let Some(task) = self.tasks.open.get(&id) else {
            return false;
        };
        *wish = PendingFetch::default();
        let draft = match answer(id, task, &self.store) {
            Answer::Wait => return false,
            Answer::Fetch(need) => {
                wish.need = need;
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
            .filter(|(_, wish)| wish.begun)
            .filter_map(|(seq, wish)| Some((*order.get(seq)?, wish)));
        begun
            .flat_map(|(id, wish)| wish.need.contents.keys().map(move |slot| (id, *slot)))
            .collect()
    }
}

/// The memory that tasks have reserved for what they fetch.
struct Reserved {
    tasks: usize,
    bytes: usize,
    bytes_max: usize,
    /// Whether a task found no room: those after it wait too, or it could wait for ever.
    queued: bool,
}

impl Reserved {
    /// Reserves what a wish needs, if it has not and there is room.
    fn begin(&mut self, wish: &mut PendingFetch) -> bool {
        if wish.begun {
            return false;
        }
        let bytes = self.bytes.saturating_add(wish.need.cost);
        self.queued |= self.tasks >= FETCHING_TASKS_MAX || bytes > self.bytes_max;
        if !self.queued {
            self.bytes = bytes;
            self.tasks += 1;
            wish.begun = true;
        }
        wish.begun
    }

    /// Gives back what a wish has reserved.
    fn end(&mut self, wish: &PendingFetch) {
        if wish.begun {
            self.bytes -= wish.need.cost;
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
            let due = |action| Some((task.due(action)?.0, id, action));
            self.due.extend(task.granted().filter_map(due));
        }
        self.work_on_more();
    }

    fn fold(&mut self, seen: Seen<WorkerFact>) {
        let (meta, fact) = seen.into_parts();
        let (id, action, said) = match &fact {
            WorkerFact::TaskAdmitted(id, fact) => return self.admit(&meta, *id, fact),
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
            WorkerFact::ActionStarted(id, fact) => (*id, fact.action, Said::Started),
            WorkerFact::ActionFinished(id, fact) => (*id, fact.action, Said::Finished(fact)),
            WorkerFact::ActionDeclined(id, fact) => (*id, fact.action, Said::Declined),
            WorkerFact::ActionExpired(id, fact) => (*id, fact.action, Said::Expired),
        };
        self.change(id, action, |task| task.hear(&meta, action, &said));
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
        let wish = admitted.and_then(|seq| self.wishes.get_mut().get_mut(&seq));
        let Some(missing) = wish.map(|wish| &mut wish.missing) else {
            return;
        };
        let wanted = missing.iter().position(|one| *one == (slot, fetch.content));
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
        self.expire(out);
        let mut wishes = self.wishes.borrow_mut();
        let begun = || wishes.values().filter(|wish| wish.begun);
        let mut reserved = Reserved {
            tasks: begun().count(),
            bytes: begun().map(|wish| wish.need.cost).sum(),
            bytes_max: self.store.bytes_max(),
            queued: false,
        };
        let mut drafts = 0;
        wishes.retain(|seq, wish| {
            let Some(&id) = self.order.get(seq) else {
                return false;
            };
            if drafts == DRAFTS_AT_ONCE || !out.idle(Some(id)) {
                return true;
            }
            let waits = !self.serve(id, wish, &mut reserved, out);
            drafts += usize::from(!out.idle(Some(id)));
            !waits
        });
    }
}

//! The shape of an actor: a pure core, and what it can want.

use std::{collections::BTreeSet, time::Duration};

use bus_schema::{
    ActionId, Author, Chain, Digest, Draft, DraftGrant, EventId, Facts, Head, Junk, Meta, Raw,
    Sealed, Seen, TaskId, Time,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Clock,
    claim::{Claim, Permit},
    doubt::{Doubt, Standing},
    ledger::Ledger,
};

/// An actor without its I/O. Replay and every unit test call these functions and nothing else.
pub trait Core: Send + 'static {
    /// Who it is.
    type Me: Author;
    /// What it reads.
    type Fact: Facts;
    /// What it remembers between restarts; a fold of the stream and nothing else.
    type State: Serialize + DeserializeOwned + Default + Send;
    /// What it wants done beside it.
    type Effect: Send + 'static;
    /// What comes back.
    type Input: Send + 'static;

    /// The state, to be kept.
    fn state(&self) -> &Self::State;
    /// Puts back a state that was kept.
    fn restore(&mut self, state: Self::State);
    /// Takes in one genuine fact. Total: junk never gets here, so nothing can be poison.
    fn fold(&mut self, fact: Seen<Self::Fact>);
    /// Sees every message that its consumer delivers, junk included, before it is folded.
    fn observe(&mut self, _raw: &Raw<'_>, _verdict: Result<&Meta, Junk>) {}
    /// Takes in what an effect brought. Never part of the state.
    fn input(&mut self, input: Self::Input);
    /// Says what it wants; asked after every fold, so it says the same until it has it.
    fn next(&self, out: &mut Outbox<'_, Self>)
    where
        Self: Sized;
    /// Asked instead of [`Core::next`] while the actor stops: only what must not be left undone.
    fn finish(&self, _out: &mut Outbox<'_, Self>)
    where
        Self: Sized,
    {
    }
    /// Whether a kept state that stands at `seq` of the stream can be gone on from; it is rebuilt otherwise.
    fn accepts(&self, _seq: u64) -> bool {
        true
    }
    /// Everything that was in the stream when the reading began is folded.
    fn caught_up(&mut self) {}
    /// Whether it can take more messages; while not, they wait in the stream.
    fn ready(&self) -> bool {
        true
    }
    /// What is wrong, if it cannot do its job.
    fn trouble(&self) -> Option<&str> {
        None
    }
}

/// Names an effect, so that it does not run twice at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Something about an action.
    Action(&'static str, ActionId),
    /// Something about a task.
    Task(&'static str, TaskId),
    /// Something about a content or a document.
    Digest(&'static str, Digest),
    /// Something that there is one of.
    Once(&'static str),
}

/// The age at which audit's last word about its log is too old.
const HEAD_AGE_MAX: Duration = Duration::from_secs(5);
/// How many events the log may be behind what is acted on.
const HEAD_BEHIND_MAX: u64 = 1000;

/// The newest word of audit about its log, and how long ago it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// What it said.
    pub head: Head,
    /// How long ago.
    pub age: Duration,
}

impl LogHead {
    /// How far the log is, if audit said so lately.
    #[must_use]
    pub fn logged(&self) -> Option<Logged> {
        (self.age < HEAD_AGE_MAX).then_some(Logged(self.head.size))
    }
}

/// How far the log is: without it nothing is granted and nothing claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged(u64);

impl Logged {
    /// A log that has everything there will ever be, for replay.
    pub const EVERYTHING: Self = Self(u64::MAX);

    /// Whether what stands at `seq` of the stream is close enough behind the log to be acted on.
    #[must_use]
    pub const fn covers(self, seq: u64) -> bool {
        self.0.saturating_add(HEAD_BEHIND_MAX) > seq
    }
}

pub(crate) enum Want<C: Core> {
    /// Drafts of one chain, never none.
    Append(Vec<Draft<C::Me>>),
    Claim(Box<Permit<C::Me>>, fn(Claim<C::Me>) -> C::Effect),
    Effect(Key, C::Effect),
}

/// What the core can see of the moment, and where it says what it wants.
pub struct Outbox<'a, C: Core> {
    pub(crate) now: Time,
    pub(crate) heard: Option<LogHead>,
    pub(crate) busy: &'a BTreeSet<Option<TaskId>>,
    pub(crate) running: &'a BTreeSet<Key>,
    pub(crate) clock: &'a Clock,
    standing: Option<&'a Standing>,
    ledger: Option<&'a Ledger>,
    pub(crate) wants: Vec<Want<C>>,
    pub(crate) wake: Option<Time>,
}

impl<'a, C: Core> Outbox<'a, C> {
    /// An empty one, as the loop or a test makes it.
    #[must_use]
    pub fn new(
        now: Time,
        heard: Option<LogHead>,
        busy: &'a BTreeSet<Option<TaskId>>,
        running: &'a BTreeSet<Key>,
        clock: &'a Clock,
    ) -> Self {
        Self {
            now,
            heard,
            busy,
            running,
            clock,
            standing: None,
            ledger: None,
            wants: Vec::new(),
            wake: None,
        }
    }

    /// The same for an executor, which these may keep from claiming.
    #[must_use]
    pub const fn of_executor(mut self, standing: &'a Standing, ledger: &'a Ledger) -> Self {
        self.standing = Some(standing);
        self.ledger = Some(ledger);
        self
    }

    /// What an executor doubts of the stream; it acts on nothing then.
    #[must_use]
    pub fn doubt(&self) -> Option<&'a Doubt> {
        self.standing.and_then(Standing::doubt)
    }

    /// Whether the grant in the event `granted`, at `seq` of the stream, may be claimed: not in doubt, not if it is of
    /// before an adoption, and not a second time.
    #[must_use]
    pub fn may_claim(&self, granted: EventId, seq: u64) -> bool {
        let doubted = self.standing.is_some_and(|standing| standing.bars(seq));
        let claimed = self.ledger.is_some_and(|ledger| ledger.bars(granted));
        !doubted && !claimed
    }

    /// Bus time, as far as it is known here; never ahead of the server's.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The newest head of the log.
    #[must_use]
    pub const fn heard(&self) -> Option<&LogHead> {
        self.heard.as_ref()
    }

    /// Whether the chain that speaks about `task` can take a draft now.
    #[must_use]
    pub fn idle(&self, task: Option<TaskId>) -> bool {
        let chain = chain_of::<C::Me>(task);
        let taken = |want: &Want<C>| match want {
            Want::Append(drafts) => {
                let mut each = drafts.iter();
                each.any(|draft| chain_of::<C::Me>(draft.task()) == chain)
            }
            Want::Claim(permit, _) => chain_of::<C::Me>(Some(permit.draft().task)) == chain,
            Want::Effect(..) => false,
        };
        !self.busy.contains(&chain) && !self.wants.iter().any(taken)
    }

    /// Appends a draft, if its chain is idle: only if nothing of the own chain comes between.
    pub fn append(&mut self, draft: Draft<C::Me>) {
        self.append_all(vec![draft]);
    }

    /// Appends drafts of one chain, if it is idle: right after one another, or none of them. What the server does
    /// not take together is asked for again.
    pub fn append_all(&mut self, drafts: Vec<Draft<C::Me>>) {
        if drafts.first().is_some_and(|draft| self.idle(draft.task())) {
            self.wants.push(Want::Append(drafts));
        }
    }

    /// Claims a grant, if it may be claimed and the chain is idle; `run` makes the effect that acts on the claim.
    pub fn claim(&mut self, permit: Permit<C::Me>, run: fn(Claim<C::Me>) -> C::Effect) {
        let may = self.may_claim(permit.granted(), permit.seq());
        if may && self.idle(Some(permit.draft().task)) {
            self.wants.push(Want::Claim(Box::new(permit), run));
        }
    }

    /// Has something done beside the core, unless it is being done already.
    pub fn effect(&mut self, key: Key, effect: impl FnOnce() -> C::Effect) {
        let wanted = |want: &Want<C>| matches!(want, Want::Effect(other, _) if *other == key);
        if !self.running.contains(&key) && !self.wants.iter().any(wanted) {
            self.wants.push(Want::Effect(key, effect()));
        }
    }

    /// Asks to be asked again at `time`, if nothing happens before.
    pub fn wake(&mut self, time: Time) {
        self.wake = Some(self.wake.map_or(time, |wake| wake.min(time)));
    }

    /// A fresh action id.
    #[must_use]
    pub fn action_id(&self) -> ActionId {
        ActionId::new(self.clock.uuid())
    }

    /// Seals bytes with a fresh salt.
    ///
    /// # Errors
    /// [`bus_schema::TooLarge`] past 4 MiB.
    pub fn seal(&self, bytes: &[u8]) -> Result<Sealed, bus_schema::TooLarge> {
        Sealed::new(self.clock.salt(), bytes)
    }

    /// The grants whose claim is wanted so far, for tests and replay.
    #[must_use]
    pub fn claims(&self) -> Vec<&DraftGrant> {
        self.wants
            .iter()
            .filter_map(|want| match want {
                Want::Claim(permit, _) => Some(permit.draft()),
                Want::Append(_) | Want::Effect(..) => None,
            })
            .collect()
    }

    /// The drafts wanted so far, for tests and replay.
    #[must_use]
    pub fn drafts(&self) -> Vec<&Draft<C::Me>> {
        self.wants
            .iter()
            .flat_map(|want| match want {
                Want::Append(drafts) => drafts.as_slice(),
                Want::Claim(..) | Want::Effect(..) => &[],
            })
            .collect()
    }
}

/// The chain an author's event about `task` belongs to.
pub(crate) fn chain_of<A: Author>(task: Option<TaskId>) -> Option<TaskId> {
    match A::ID.chain() {
        Chain::Whole => None,
        Chain::PerTask => task,
    }
}

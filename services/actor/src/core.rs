//! The pure core of an actor, and the wishes that it can express.

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
    /// Its author.
    type Me: Author;
    /// The facts that it folds.
    type Fact: Facts;
    /// The state that it keeps between restarts; a fold of the stream and nothing else.
    type State: Serialize + DeserializeOwned + Default + Send;
    /// The work that runs beside it.
    type Effect: Send + 'static;
    /// The result of such work.
    type Input: Send + 'static;

    /// Returns the state for a snapshot.
    fn state(&self) -> &Self::State;
    /// Restores the state from a snapshot.
    fn restore(&mut self, state: Self::State);
    /// Folds one genuine fact. Every fact succeeds: junk never gets here, so no message can block the core.
    fn fold(&mut self, fact: Seen<Self::Fact>);
    /// Observes every message that its consumer delivers, junk included, before it is folded.
    fn observe(&mut self, _raw: &Raw<'_>, _verdict: Result<&Meta, Junk>) {}
    /// Takes the result of an effect. It is never part of the state.
    fn input(&mut self, input: Self::Input);
    /// Returns its wishes. It is called after every fold, and returns a wish again until it is fulfilled.
    fn next(&self, out: &mut Outbox<'_, Self>)
    where
        Self: Sized;
    /// Replaces [`Core::next`] while the actor stops: returns only the wishes that must still be fulfilled.
    fn finish(&self, _out: &mut Outbox<'_, Self>)
    where
        Self: Sized,
    {
    }
    /// Returns true if it can continue from the restored state at `seq` of the stream; otherwise the state is rebuilt.
    fn accepts(&self, _seq: u64) -> bool {
        true
    }
    /// Receives the notice that everything which was in the stream at the start of reading is folded.
    fn caught_up(&mut self) {}
    /// Returns true if somebody waits for messages that it has not folded yet: a patient reader reads at once then.
    fn hurries(&self) -> bool {
        false
    }
    /// Returns true if it can take more messages; otherwise they wait in the stream.
    fn ready(&self) -> bool {
        true
    }
    /// The problem, if it cannot do its job.
    fn trouble(&self) -> Option<&str> {
        None
    }
}

/// The key of an effect, so that it does not run twice at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// An effect for an action.
    Action(&'static str, ActionId),
    /// An effect for a task.
    Task(&'static str, TaskId),
    /// An effect for a content or a document.
    Digest(&'static str, Digest),
    /// An effect of which there is only one.
    Once(&'static str),
}

/// The age at which audit's head is too old.
const HEAD_AGE_MAX: Duration = Duration::from_secs(5);
/// Most events by which the log may be behind an event that is acted on.
const HEAD_BEHIND_MAX: u64 = 1000;

/// Audit's newest head, and its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// The head.
    pub head: Head,
    /// The time since it came.
    pub age: Duration,
}

impl LogHead {
    /// Returns the length of the log, if the head is fresh.
    #[must_use]
    pub fn logged(&self) -> Option<Logged> {
        (self.age < HEAD_AGE_MAX).then_some(Logged(self.head.size))
    }
}

/// The length of the log: without it nothing is granted and nothing claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged(u64);

impl Logged {
    /// A log that covers every event, for replay.
    pub const EVERYTHING: Self = Self(u64::MAX);

    /// Returns true if the log is close enough to `seq` of the stream to act on the event there.
    #[must_use]
    pub const fn covers(self, seq: u64) -> bool {
        self.0.saturating_add(HEAD_BEHIND_MAX) > seq
    }
}

pub(crate) enum Want<C: Core> {
    /// Drafts of one chain, at least one.
    Append(Vec<Draft<C::Me>>),
    Claim(Box<Permit<C::Me>>, fn(Claim<C::Me>) -> C::Effect),
    Effect(Key, C::Effect),
}

/// The core's view of the moment, and the collector of its wishes.
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
    /// Makes an empty one for the loop or a test.
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

    /// Adds the standing and the ledger of an executor, which may bar claims.
    #[must_use]
    pub const fn of_executor(mut self, standing: &'a Standing, ledger: &'a Ledger) -> Self {
        self.standing = Some(standing);
        self.ledger = Some(ledger);
        self
    }

    /// The executor's doubt about the stream; while there is one, it acts on nothing.
    #[must_use]
    pub fn doubt(&self) -> Option<&'a Doubt> {
        self.standing.and_then(Standing::doubt)
    }

    /// Returns true if the grant in the event `granted`, at `seq` of the stream, may be claimed: there is no doubt, the
    /// grant is not older than an adoption, and it was not claimed before.
    #[must_use]
    pub fn may_claim(&self, granted: EventId, seq: u64) -> bool {
        let doubted = self.standing.is_some_and(|standing| standing.bars(seq));
        let claimed = self.ledger.is_some_and(|ledger| ledger.bars(granted));
        !doubted && !claimed
    }

    /// The estimate of bus time; never ahead of the server's.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The newest head of the log.
    #[must_use]
    pub const fn heard(&self) -> Option<&LogHead> {
        self.heard.as_ref()
    }

    /// Returns true if the chain for `task` can take a draft now.
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

    /// Appends a draft if its chain is idle; it is stored only if no other event of the own chain comes before it.
    pub fn append(&mut self, draft: Draft<C::Me>) {
        self.append_all(vec![draft]);
    }

    /// Appends drafts of one chain, if it is idle: all of them, one right after the other, or none. If the server does
    /// not store them together, the core is asked again.
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

    /// Starts an effect beside the core, unless it runs already.
    pub fn effect(&mut self, key: Key, effect: impl FnOnce() -> C::Effect) {
        let wanted = |want: &Want<C>| matches!(want, Want::Effect(other, _) if *other == key);
        if !self.running.contains(&key) && !self.wants.iter().any(wanted) {
            self.wants.push(Want::Effect(key, effect()));
        }
    }

    /// Requests another call at `time`, if nothing happens before.
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

    /// The grants that are to be claimed so far, for tests and replay.
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

    /// The effects to start so far, for tests.
    #[must_use]
    pub fn into_effects(self) -> Vec<C::Effect> {
        let wants = self.wants.into_iter();
        let effects = wants.filter_map(|want| match want {
            Want::Effect(_, effect) => Some(effect),
            Want::Append(_) | Want::Claim(..) => None,
        });
        effects.collect()
    }

    /// The drafts to append so far, for tests and replay.
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

/// The chain that an author's event about `task` belongs to.
pub(crate) fn chain_of<A: Author>(task: Option<TaskId>) -> Option<TaskId> {
    match A::ID.chain() {
        Chain::Whole => None,
        Chain::PerTask => task,
    }
}

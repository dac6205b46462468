//! The appender: publishes own events, one batch a chain at a time, and events of many chains together.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bus_schema::{
    Author, AuthorId, Draft, EventId, Junk, Link, Meta, SignedEvent, TaskId, Verifier, stream,
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::oneshot;

use crate::{
    Bus, Claim, Error,
    bus::Outside,
    claim::Permit,
    contents::{TOGETHER, put_all},
    core::chain_of,
    publish::{Placed, Published, publish},
};

/// Pause before a retry of a publish whose outcome is unknown; the compare-and-set makes the retry safe.
const RETRY: Duration = Duration::from_millis(200);
/// Pause after the server refused: it is full, or under repair.
const RETRY_REFUSED: Duration = Duration::from_secs(1);

/// Most chains whose events are stored together.
const TOGETHER_MAX: usize = 128;
/// Publishes in flight from which on others are batched.
const APART: usize = 16;

/// The step after the own event was read back.
pub(crate) enum Then<A, E> {
    Nothing,
    Reply(oneshot::Sender<Meta>),
    Run(Box<Permit<A>>, fn(Claim<A>) -> E),
}

enum Stage {
    Sent,
    Stored(u64),
    /// Another event was stored first; the draft is dropped once this message was read.
    Lost(u64),
}

/// Events of one chain that are in flight together; at least one.
struct InFlight<A, E> {
    drafts: Vec<Draft<A>>,
    events: Vec<SignedEvent>,
    /// The number of them that were read back.
    read: usize,
    expected: u64,
    then: Then<A, E>,
    stage: Stage,
}

impl<A: Author, E> InFlight<A, E> {
    fn kind(&self) -> &'static str {
        self.drafts.first().map_or("", Draft::kind)
    }

    /// The name of the flight: the id of its last event.
    fn id(&self) -> Option<EventId> {
        self.events.last().map(|event| event.id)
    }

    /// Returns true if one of these events was stored at `seq`.
    fn is_at(&self, seq: u64) -> bool {
        match self.stage {
            Stage::Stored(last) => {
                let before = last.saturating_sub(seq);
                seq <= last && before < self.events.len() as u64
            }
            Stage::Sent | Stage::Lost(_) => false,
        }
    }
}

/// One flight in a publish: its name, and its number of events.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    chain: Option<TaskId>,
    id: Option<EventId>,
    events: u64,
}

/// The parts of one publish, and their outcome.
pub(crate) type Acked = (Vec<Part>, Published);

/// The own chains and their events in flight.
pub(crate) struct Appender<A, E> {
    bus: Bus<A>,
    flying: BTreeMap<Option<TaskId>, InFlight<A, E>>,
    busy: BTreeSet<Option<TaskId>>,
    waiting: BTreeMap<Option<TaskId>, VecDeque<Outside<A>>>,
    /// Chains whose flights are not sent yet, in the order of their launch.
    ready: VecDeque<Option<TaskId>>,
    acks: FuturesUnordered<BoxFuture<'static, Acked>>,
    /// The grants whose claims were dropped because another event was first.
    given_back: Vec<EventId>,
    /// The reason why the server stores no events of this actor.
    trouble: Option<String>,
}

impl<A: Author, E> Appender<A, E> {
    pub(crate) fn new(bus: Bus<A>) -> Self {
        Self {
            bus,
            flying: BTreeMap::new(),
            busy: BTreeSet::new(),
            waiting: BTreeMap::new(),
            ready: VecDeque::new(),
            acks: FuturesUnordered::new(),
            given_back: Vec::new(),
            trouble: None,
        }
    }

    pub(crate) const fn busy(&self) -> &BTreeSet<Option<TaskId>> {
        &self.busy
    }

    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flying.is_empty() && self.waiting.is_empty()
    }

    /// Returns the next answer of the server; waits for ever while nothing is in flight.
    pub(crate) async fn acked(&mut self) -> Acked {
        match self.acks.next().await {
            Some(acked) => acked,
            None => std::future::pending().await,
        }
    }

    /// Returns one more answer, if it has come already.
    pub(crate) fn acked_too(&mut self) -> Option<Acked> {
        self.acks.next().now_or_never().flatten()
    }

    /// Queues a draft from beside the core; it goes before the core's own drafts.
    pub(crate) fn queue(&mut self, outside: Outside<A>) {
        let chain = chain_of::<A>(outside.0.task());
        self.waiting.entry(chain).or_default().push_back(outside);
    }

    /// Launches waiting drafts of idle chains.
    pub(crate) fn launch_waiting(&mut self, verifier: &mut Verifier) {
        let idle: Vec<_> = self
            .waiting
            .keys()
            .filter(|chain| !self.busy.contains(chain))
            .copied()
            .collect();
        for chain in idle {
            let Some(queue) = self.waiting.get_mut(&chain) else {
                continue;
            };
            let first = queue.pop_front();
            if queue.is_empty() {
                self.waiting.remove(&chain);
            }
            if let Some((draft, reply)) = first {
                self.launch(vec![draft], Then::Reply(reply), verifier);
            }
        }
    }

    /// Signs drafts as the next events of their chain, for [`Self::send_ready`]: all of them are stored, or none.
    pub(crate) fn launch(
        &mut self,
        drafts: Vec<Draft<A>>,
        then: Then<A, E>,
        verifier: &mut Verifier,
    ) {
        let Some(task) = drafts.first().map(Draft::task) else {
            return;
        };
        let chain = chain_of::<A>(task);
        let tip = verifier.tip(A::ID, task);
        let (mut seq, mut prev) = (tip.seq, tip.digest);
        let key = bus_schema::public_key(self.bus.key());
        let mut events = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            seq += 1;
            let clock = self.bus.clock();
            let link = Link {
                seq,
                prev,
                id: EventId::new(clock.uuid()),
                at: clock.wall(),
            };
            let event = draft.sign(link, self.bus.key());
            prev = event.digest();
            verifier.made(key, &event);
            events.push(event);
        }
        let flight = InFlight {
            drafts,
            events,
            read: 0,
            expected: verifier.subtree(A::ID, task),
            then,
            stage: Stage::Sent,
        };
        self.ready.push_back(chain);
        self.busy.insert(chain);
        self.flying.insert(chain, flight);
    }

    /// Sends launched flights: together if there are enough, else each alone, unless many are in flight already.
    pub(crate) fn send_ready(&mut self) {
        while self.ready.len() >= TOGETHER {
            let some = self.ready.len().min(TOGETHER_MAX);
            let chains: Vec<_> = self.ready.drain(..some).collect();
            self.send(&chains, Duration::ZERO);
        }
        while self.acks.len() < APART
            && let Some(chain) = self.ready.pop_front()
        {
            self.send(&[chain], Duration::ZERO);
        }
    }

    fn send(&self, chains: &[Option<TaskId>], pause: Duration) {
        let (mut parts, mut contents, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for &chain in chains {
            let Some(flight) = self.flying.get(&chain) else {
                continue;
            };
            let subtree = stream::subtree(A::ID, chain);
            events.extend(Placed::all(&flight.events, &subtree, flight.expected));
            let each = flight.drafts.iter().flat_map(Draft::contents);
            contents.extend(each.cloned());
            parts.push(Part {
                chain,
                id: flight.id(),
                events: flight.events.len() as u64,
            });
        }
        let bus = self.bus.clone();
        self.acks.push(Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if let Err(error) = put_all(&bus, &contents).await {
                return (parts, Published::Refused(crate::error::chain(&error)));
            }
            (parts, publish(bus.jetstream(), &events).await)
        }));
    }

    /// Sends flights without an answer again: they may have been lost with the connection. The compare-and-set makes
    /// the retry safe.
    pub(crate) fn resend(&mut self) {
        self.acks.clear();
        let unanswered = self
            .flying
            .iter()
            .filter(|(_, flight)| matches!(flight.stage, Stage::Sent));
        self.ready = unanswered.map(|(chain, _)| *chain).collect();
    }

    /// Handles an answer of the server.
    ///
    /// # Errors
    /// [`Error::Disowned`] if the event was stored and read, and found not to be an event.
    pub(crate) fn on_ack(
        &mut self,
        acked: Acked,
        verifier: &Verifier,
        read: u64,
    ) -> Result<(), Error> {
        let (parts, published) = acked;
        if parts.len() > 1 {
            return self.on_ack_of_many(parts, published, verifier, read);
        }
        parts.first().map_or(Ok(()), |part| {
            self.on_part(*part, published, verifier, read)
        })
    }

    /// Handles the answer to events of many chains: all were stored, or none was and each is sent alone.
    fn on_ack_of_many(
        &mut self,
        parts: Vec<Part>,
        published: Published,
        verifier: &Verifier,
        read: u64,
    ) -> Result<(), Error> {
        let pause = match published {
            Published::At(mut last) => {
                for part in parts.into_iter().rev() {
                    self.on_part(part, Published::At(last), verifier, read)?;
                    last = last.saturating_sub(part.events);
                }
                return Ok(());
            }
            Published::Conflict(_) => Duration::ZERO,
            Published::Unknown(reason) => {
                tracing::warn!(reason, "a batch got no answer; sending each event alone");
                RETRY
            }
            Published::Refused(reason) => {
                tracing::warn!(
                    reason,
                    "the bus does not store a batch; sending each event alone"
                );
                Duration::ZERO
            }
        };
        for part in parts {
            let flight = self.flying.get(&part.chain);
            if flight.is_some_and(|flight| flight.id() == part.id) {
                self.send(&[part.chain], pause);
            }
        }
        Ok(())
    }

    fn on_part(
        &mut self,
        part: Part,
        published: Published,
        verifier: &Verifier,
        read: u64,
    ) -> Result<(), Error> {
        let Part { chain, id, .. } = part;
        let Some(mut flight) = self.flying.remove(&chain) else {
            return Ok(());
        };
        if flight.id() != id {
            self.flying.insert(chain, flight);
            return Ok(());
        }
        let mut again = None;
        match published {
            Published::At(seq) => {
                if read >= seq {
                    return Err(Error::Disowned {
                        seq,
                        junk: Junk::NoKey,
                    });
                }
                self.trouble = None;
                flight.stage = Stage::Stored(seq);
            }
            Published::Conflict(Some(last)) if verifier.subtree(A::ID, chain) < last => {
                flight.stage = Stage::Lost(last);
            }
            Published::Conflict(Some(_)) => {
                self.busy.remove(&chain);
                self.lost(flight);
                return Ok(());
            }
            Published::Conflict(None) => again = Some(RETRY),
            Published::Unknown(reason) => {
                tracing::warn!(
                    reason,
                    kind = flight.kind(),
                    "a publish got no answer; retrying"
                );
                again = Some(RETRY);
            }
            Published::Refused(reason) if flight.events.len() > 1 => {
                tracing::warn!(reason, "the bus does not store a batch; sending one event");
                flight.drafts.truncate(1);
                flight.events.truncate(1);
                again = Some(Duration::ZERO);
            }
            Published::Refused(reason) => {
                tracing::error!(
                    reason,
                    kind = flight.kind(),
                    "the bus does not store this event; retrying"
                );
                self.trouble = Some(reason);
                again = Some(RETRY_REFUSED);
            }
        }
        self.flying.insert(chain, flight);
        if let Some(pause) = again {
            self.send(&[chain], pause);
        }
        Ok(())
    }

    /// Notes that a genuine own event was read; returns its next step.
    pub(crate) fn on_own(&mut self, meta: &Meta) -> Option<Then<A, E>> {
        let chain = chain_of::<A>(meta.task);
        let flight = self.flying.get_mut(&chain)?;
        if flight.events.get(flight.read)?.id != meta.id {
            return None;
        }
        flight.read += 1;
        if flight.read < flight.events.len() {
            return Some(Then::Nothing);
        }
        self.busy.remove(&chain);
        self.flying.remove(&chain).map(|flight| flight.then)
    }

    /// Notes that a message of any kind was read.
    ///
    /// # Errors
    /// [`Error::Disowned`] if it was an own event that turned out to be junk.
    pub(crate) fn on_read(
        &mut self,
        seq: u64,
        by: Option<AuthorId>,
        junk: Option<Junk>,
    ) -> Result<(), Error> {
        if by.is_some_and(|by| by != A::ID) {
            return Ok(());
        }
        if let Some(junk) = junk
            && self.flying.values().any(|flight| flight.is_at(seq))
        {
            return Err(Error::Disowned { seq, junk });
        }
        let lost =
            |flight: &InFlight<A, E>| matches!(flight.stage, Stage::Lost(last) if last <= seq);
        let over: Vec<_> = self
            .flying
            .iter()
            .filter(|(_, flight)| lost(flight))
            .map(|(chain, _)| *chain)
            .collect();
        for chain in over {
            self.busy.remove(&chain);
            if let Some(flight) = self.flying.remove(&chain) {
                self.lost(flight);
            }
        }
        Ok(())
    }

    /// Handles a lost race: the core decides again, and a draft from outside is queued again.
    fn lost(&mut self, mut flight: InFlight<A, E>) {
        tracing::debug!(
            kind = flight.kind(),
            "another event was first; deciding again"
        );
        match (flight.then, flight.drafts.pop()) {
            (Then::Reply(reply), Some(draft)) => {
                let chain = chain_of::<A>(draft.task());
                let queue = self.waiting.entry(chain).or_default();
                queue.push_front((draft, reply));
            }
            (Then::Run(permit, _), _) => self.given_back.push(permit.granted()),
            (Then::Nothing | Then::Reply(_), _) => {}
        }
    }

    /// Returns the grants whose claims were dropped since the last call: the stream does not hold those claims.
    pub(crate) fn given_back(&mut self) -> Vec<EventId> {
        std::mem::take(&mut self.given_back)
    }
}

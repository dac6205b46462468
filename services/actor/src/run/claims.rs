//! Claims: what keeps them back, and what has to be durable before one is acted on.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bus_schema::{
    ActionStarted, Author, AuthorId, Digest, DoubtFact, Event as _, EventId, Meta, Raw, Says,
    ServiceStarted, read_as,
};
use tokio::task::{JoinError, JoinSet};

use super::{Actor, Effect, Me};
use crate::{
    Claim, Error, Key, Service,
    claim::Permit,
    doubt::{IN_DOUBT, Standing},
    error::chain,
    ledger::{Ledger, Write, perform},
    live::Heads,
    projection::{Position, Projection},
};

/// The name under which the standing is kept.
const STANDING: &str = "standing";
/// How long a claim that was read back waits for its record: less than its outcome may be late.
const HELD_MAX: Duration = Duration::from_secs(3);

/// A claim that was read back and waits for its record.
struct Held<A, E> {
    claim: Claim<A>,
    run: fn(Claim<A>) -> E,
    since: Duration,
}

/// A write to the ledger that has ended.
pub(super) type Written = Result<(Write, io::Result<()>), JoinError>;

/// What an executor keeps of its claims.
pub(super) struct Claims<A, E> {
    pub(super) standing: Standing,
    pub(super) ledger: Ledger,
    folder: PathBuf,
    /// Sent and neither read back nor lost.
    flying: BTreeSet<EventId>,
    held: BTreeMap<EventId, Held<A, E>>,
    writing: JoinSet<(Write, io::Result<()>)>,
    /// Why nothing can be recorded.
    trouble: Option<String>,
}

impl<A: Author, E> Claims<A, E> {
    /// Those of an author that acts on grants; none of any other.
    ///
    /// # Errors
    /// [`Error::State`] if what was kept cannot be used.
    pub(super) fn open(folder: &Path, projection: &Projection) -> Result<Option<Self>, Error> {
        if !ActionStarted::BY.contains(&A::ID) {
            return Ok(None);
        }
        Ok(Some(Self {
            standing: projection.kept(STANDING)?.unwrap_or_default(),
            ledger: Ledger::open(folder)?,
            folder: folder.to_owned(),
            flying: BTreeSet::new(),
            held: BTreeMap::new(),
            writing: JoinSet::new(),
            trouble: None,
        }))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.writing.is_empty() && self.ledger.is_idle()
    }

    pub(super) fn trouble(&self) -> Option<&str> {
        let doubt = self.standing.doubt().map(|_| IN_DOUBT);
        doubt.or(self.trouble.as_deref())
    }

    /// A claim is sent now.
    pub(super) fn take(&mut self, granted: EventId) {
        self.ledger.take(granted);
        self.flying.insert(granted);
    }

    /// The stream surely does not hold a claim that was sent.
    pub(super) fn give_back(&mut self, granted: EventId) {
        if self.flying.remove(&granted) {
            self.ledger.give_back(granted);
        }
    }

    /// Another stream: nothing that was on its way in the old one is acted on.
    fn lose(&mut self, position: Position, projection: &Projection) -> Result<(), Error> {
        self.flying.clear();
        self.held.clear();
        self.standing.lose(position.seq, position.digest);
        projection.keep(STANDING, &self.standing)
    }

    /// Has written what waits; at a standstill after a failure.
    pub(super) fn write(&mut self) {
        if self.writing.is_empty()
            && let Some(write) = self.ledger.next_write()
        {
            self.spawn(write);
        }
    }

    /// Tries again after a failure.
    pub(super) fn repair(&mut self) {
        if self.ledger.is_broken() && self.writing.is_empty() {
            let write = self.ledger.replacement();
            self.spawn(write);
        }
    }

    fn spawn(&mut self, write: Write) {
        let folder = self.folder.clone();
        self.writing.spawn_blocking(move || {
            let written = perform(&folder, &write);
            (write, written)
        });
    }

    /// The next write that ends; never, while there is none.
    pub(super) async fn written(of: &mut Option<Self>) -> Written {
        let ended = match of {
            Some(claims) => claims.writing.join_next().await,
            None => None,
        };
        match ended {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Takes in how a write ended; the claims that waited for it.
    fn on_written(&mut self, write: &Write, written: io::Result<()>) -> Vec<Held<A, E>> {
        let durable = self.ledger.written(write, written.is_ok());
        if let Err(error) = written {
            let error = chain(&error);
            tracing::error!(error, "a claim cannot be recorded; nothing runs");
            let text = format!(
                "claims cannot be recorded, so nothing is claimed: {error}; free space or make {} writable",
                self.folder.display()
            );
            self.trouble = Some(text);
            self.held.clear();
            return Vec::new();
        }
        self.trouble = None;
        let ready = durable.into_iter().filter_map(|id| self.held.remove(&id));
        ready.collect()
    }
}

impl<S: Service> Actor<S>
where
    Me<S>: Says<ServiceStarted>,
{
    /// Doubts the stream, if this actor acts on grants.
    pub(super) fn doubt(&mut self) -> Result<(), Error> {
        let Some(claims) = &mut self.claims else {
            return Ok(());
        };
        claims.lose(self.position, &self.projection)?;
        // It begins anew here: the log's heads have to know of it in this stream.
        self.announced = false;
        self.began = None;
        self.heads = Heads::default();
        tracing::error!(seq = self.position.seq, "{IN_DOUBT}");
        Ok(())
    }

    /// Doubts the stream if the next message of it shows that it does not hold what was noted of it.
    pub(super) fn compare(&mut self, seq: u64, digest: Digest, is_last: bool) -> Result<(), Error> {
        let before = self.position.seq;
        let misses = |claims: &Claims<_, _>| claims.standing.misses(before, seq, digest, is_last);
        if self.claims.as_ref().is_some_and(misses) {
            self.doubt()?;
        }
        Ok(())
    }

    /// Notes where this actor stands, if it acts on grants.
    pub(super) fn stand(&mut self) -> Result<(), Error> {
        let Position { seq, digest } = self.position;
        if let Some(claims) = &mut self.claims
            && self.caught_up
            && seq > 0
            && claims.standing.stand(seq, digest)
        {
            self.projection.keep(STANDING, &claims.standing)?;
        }
        Ok(())
    }

    /// Takes in what a genuine message says of a doubt.
    pub(super) fn heed(&mut self, meta: &Meta, raw: &Raw<'_>) -> Result<(), Error> {
        let me = <Me<S> as Author>::ID;
        let Some(claims) = &mut self.claims else {
            return Ok(());
        };
        if !(meta.by == me || meta.by == AuthorId::Owner) || claims.standing.doubt().is_none() {
            return Ok(());
        }
        let said: Option<DoubtFact> = read_as(raw);
        if said.is_some_and(|said| claims.standing.heed(me, meta, &said)) {
            self.projection.keep(STANDING, &claims.standing)?;
            if claims.standing.doubt().is_none() {
                tracing::info!(seq = meta.seq, "the owner adopted this stream");
            }
        }
        Ok(())
    }

    /// The own claim was read back: it is acted on once its record is durable.
    pub(super) fn read_back(
        &mut self,
        permit: Permit<Me<S>>,
        run: fn(Claim<Me<S>>) -> Effect<S>,
        meta: &Meta,
    ) {
        let Some(claims) = &mut self.claims else {
            return;
        };
        let granted = permit.granted();
        let flew = claims.flying.remove(&granted);
        if !permit.in_time(meta.stored) {
            tracing::warn!("the claim was stored too late; nothing runs");
            return;
        }
        if !flew || claims.standing.bars(permit.seq()) || claims.ledger.is_broken() {
            tracing::warn!("the claim does not hold any more; nothing runs");
            return;
        }
        let held = Held {
            claim: Claim::new(permit, meta.id),
            run,
            since: self.clock.elapsed(),
        };
        if claims.ledger.is_durable(granted) {
            self.act(held);
        } else {
            claims.held.insert(granted, held);
        }
    }

    /// Acts on what waited for a write to the ledger.
    pub(super) fn recorded(&mut self, written: Written) -> Result<(), Error> {
        let (write, written) = written.map_err(|error| Error::Service(error.to_string()))?;
        let Some(claims) = &mut self.claims else {
            return Ok(());
        };
        for held in claims.on_written(&write, written) {
            if self.clock.elapsed().saturating_sub(held.since) <= HELD_MAX {
                self.act(held);
            } else {
                tracing::warn!("the claim took too long to be recorded; nothing runs");
            }
        }
        Ok(())
    }

    fn act(&mut self, held: Held<Me<S>, Effect<S>>) {
        let key = Key::Action("run", held.claim.draft().action);
        let run = held.run;
        self.perform(key, run(held.claim));
    }
}

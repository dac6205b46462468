//! The claims of an executor: its doubt and its ledger, which bar claims, and claims that wait for durable records.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bus_schema::{ActionStarted, Author, Event as _, EventId, Meta};
use tokio::task::{JoinError, JoinSet};

use crate::{
    Claim, Error,
    claim::Permit,
    doubt::{IN_DOUBT, Standing},
    error::chain,
    ledger::{Ledger, Write, perform},
    projection::{Position, Projection},
};

/// The name under which the standing is kept.
pub(crate) const STANDING: &str = "standing";
/// The time that a claim waits for its record after it was read back: less than the grace time of its outcome.
pub(crate) const HELD_MAX: Duration = Duration::from_secs(3);

/// A claim that was read back and waits for its record.
pub(crate) struct Held<A, E> {
    pub(crate) claim: Claim<A>,
    pub(crate) run: fn(Claim<A>) -> E,
    pub(crate) since: Duration,
}

/// The reason why a claim that was read back is not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAction {
    /// It is too late by bus time.
    #[error("the claim was stored too late")]
    TooLate,
    /// This process did not send it, or a doubt or the ledger bars it.
    #[error("the claim is no longer valid")]
    Invalid,
}

/// A write to the ledger that has ended.
pub(crate) type Written = Result<(Write, io::Result<()>), JoinError>;

/// The state of an executor's claims.
pub(crate) struct Claims<A, E> {
    pub(crate) standing: Standing,
    pub(crate) ledger: Ledger,
    folder: PathBuf,
    /// Claims in flight: sent, and neither read back nor lost.
    pub(crate) flying: BTreeSet<EventId>,
    pub(crate) held: BTreeMap<EventId, Held<A, E>>,
    writing: JoinSet<(Write, io::Result<()>)>,
    /// The reason why nothing can be recorded.
    trouble: Option<String>,
}

impl<A: Author, E> Claims<A, E> {
    /// Opens the claims of an author that acts on grants; none for any other.
    ///
    /// # Errors
    /// [`Error::State`] if the stored state cannot be used.
    pub(crate) fn open(folder: &Path, projection: &Projection) -> Result<Option<Self>, Error> {
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

    pub(crate) fn is_idle(&self) -> bool {
        self.writing.is_empty() && self.ledger.is_idle()
    }

    pub(crate) fn trouble(&self) -> Option<&str> {
        let doubt = self.standing.doubt().map(|_| IN_DOUBT);
        doubt.or(self.trouble.as_deref())
    }

    /// Notes that a claim is sent now.
    pub(crate) fn take(&mut self, granted: EventId) {
        self.ledger.take(granted);
        self.flying.insert(granted);
    }

    /// Notes that the stream does not hold a claim that was sent.
    pub(crate) fn give_back(&mut self, granted: EventId) {
        if self.flying.remove(&granted) {
            self.ledger.give_back(granted);
        }
    }

    /// Takes an own claim that was read back at `now`: returns it if its record is durable, otherwise keeps it until then.
    pub(crate) fn read_back(
        &mut self,
        permit: Permit<A>,
        run: fn(Claim<A>) -> E,
        meta: &Meta,
        now: Duration,
    ) -> Result<Option<Held<A, E>>, NoAction> {
        let granted = permit.granted();
        let flew = self.flying.remove(&granted);
        if !permit.in_time(meta.stored) {
            return Err(NoAction::TooLate);
        }
        if !flew || self.standing.bars(permit.seq()) || self.ledger.is_broken() {
            return Err(NoAction::Invalid);
        }
        let held = Held {
            claim: Claim::new(permit, meta.id),
            run,
            since: now,
        };
        if self.ledger.is_durable(granted) {
            return Ok(Some(held));
        }
        self.held.insert(granted, held);
        Ok(None)
    }

    /// Starts a doubt after a change of streams: claims in flight in the old one are dropped.
    pub(crate) fn lose(
        &mut self,
        position: Position,
        projection: &Projection,
    ) -> Result<(), Error> {
        self.flying.clear();
        self.held.clear();
        self.standing.lose(position.seq, position.digest);
        projection.keep(STANDING, &self.standing)
    }

    /// Starts the next write; starts none after a failure.
    pub(crate) fn write(&mut self) {
        if self.writing.is_empty()
            && let Some(write) = self.ledger.next_write()
        {
            self.spawn(write);
        }
    }

    /// Retries after a failure.
    pub(crate) fn repair(&mut self) {
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

    /// Returns the next write that ends; waits for ever while there is none.
    pub(crate) async fn written(of: &mut Option<Self>) -> Written {
        let ended = match of {
            Some(claims) => claims.writing.join_next().await,
            None => None,
        };
        match ended {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Takes the result of a write that ended at `now`; returns the claims that waited for it, without those that waited
    /// for too long.
    pub(crate) fn on_written(
        &mut self,
        write: &Write,
        written: io::Result<()>,
        now: Duration,
    ) -> Vec<Held<A, E>> {
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
        let recorded = durable.into_iter().filter_map(|id| self.held.remove(&id));
        let (ready, late): (Vec<_>, Vec<_>) =
            recorded.partition(|held| now.saturating_sub(held.since) <= HELD_MAX);
        if !late.is_empty() {
            tracing::warn!(
                claims = late.len(),
                "claims took too long to be recorded; nothing runs"
            );
        }
        ready
    }
}

#[cfg(test)]
mod tests;

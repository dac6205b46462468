//! The loop's handling of claims: doubt about the stream, claims that are read back, and records that are synced.

use bus_schema::{
    Author, AuthorId, CanPublish, Digest, DoubtFact, Meta, Raw, ServiceStarted, read_as,
};

use super::{Actor, Effect, Me};
use crate::{
    Claim, Error, Key, Service,
    claim::Permit,
    claims::{Claims, Held, STANDING, Written},
    doubt::IN_DOUBT,
    live::Heads,
    projection::Position,
};

impl<S: Service> Actor<S>
where
    Me<S>: CanPublish<ServiceStarted>,
{
    /// Starts a doubt about the stream, if this actor acts on grants.
    pub(super) fn doubt(&mut self) -> Result<(), Error> {
        let Some(claims) = &mut self.claims else {
            return Ok(());
        };
        claims.lose(self.position, &self.projection)?;
        // The actor starts anew in this stream: only heads that cover its new first event count.
        self.announced = false;
        self.began = None;
        self.heads = Heads::default();
        tracing::error!(seq = self.position.seq, "{IN_DOUBT}");
        Ok(())
    }

    /// Starts a doubt if the next message shows that the stream lacks the noted message.
    pub(super) fn compare(&mut self, seq: u64, digest: Digest, is_last: bool) -> Result<(), Error> {
        let before = self.position.seq;
        let misses = |claims: &Claims<_, _>| claims.standing.misses(before, seq, digest, is_last);
        if self.claims.as_ref().is_some_and(misses) {
            self.doubt()?;
        }
        Ok(())
    }

    /// Notes this actor's position, if it acts on grants.
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

    /// Handles a genuine message about a doubt.
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

    /// Handles an own claim that was read back: it is acted on once its record is durable.
    pub(super) fn read_back(
        &mut self,
        permit: Permit<Me<S>>,
        run: fn(Claim<Me<S>>) -> Effect<S>,
        meta: &Meta,
    ) {
        let Some(claims) = &mut self.claims else {
            return;
        };
        match claims.read_back(permit, run, meta, self.clock.elapsed()) {
            Ok(Some(held)) => self.act(held),
            Ok(None) => {}
            Err(reason) => tracing::warn!(%reason, "nothing runs"),
        }
    }

    /// Acts on the claims that waited for a write to the ledger.
    pub(super) fn recorded(&mut self, written: Written) -> Result<(), Error> {
        let (write, written) = written.map_err(|error| Error::Service(error.to_string()))?;
        let Some(claims) = &mut self.claims else {
            return Ok(());
        };
        for held in claims.on_written(&write, written, self.clock.elapsed()) {
            self.act(held);
        }
        Ok(())
    }

    fn act(&mut self, held: Held<Me<S>, Effect<S>>) {
        let key = Key::Action("run", held.claim.draft().action);
        let run = held.run;
        self.perform(key, run(held.claim));
    }
}

//! Policy driven by hand: the shipped core on the stored bytes, in a loop from which a test removes one check. The
//! result is the attack that this check prevents.

use std::{collections::BTreeSet, time::Duration};

use actor::{BusClient, Core as _, LogHead, Outbox, Stored};
use bus_schema::{
    AuthorId, ChainScope, Digest, Draft, Head, Policy, PolicyFact, Read, TooOld, Verifier,
};
use harness::Deployment;
use policy::{Fetch, Fetched, PolicyCore};

/// Most rounds of fetches: the catalogue, a document, the contents that it asks about, the halves of earlier calls.
const ROUNDS: usize = 5;

/// Policy without the loop around it.
pub(crate) struct ByHand<'a> {
    deployment: &'a Deployment,
    pub(crate) verifier: Verifier,
    core: PolicyCore,
}

impl<'a> ByHand<'a> {
    /// A policy that has read nothing.
    pub(crate) fn new(deployment: &'a Deployment) -> Self {
        Self {
            deployment,
            verifier: Verifier::new(deployment.owner(), ChainScope::Own(AuthorId::Policy)),
            core: PolicyCore::new(deployment.owner()),
        }
    }

    /// Reads and folds one message, as the loop does.
    pub(crate) fn read(&mut self, stored: &Stored) -> Result<(), TooOld> {
        if let Read::Fact(seen) = self.verifier.read::<PolicyFact>(&stored.raw())? {
            self.core.fold(seen);
        }
        Ok(())
    }

    /// The kinds of the events that it would append now.
    pub(crate) async fn wants(&mut self, heard: Option<LogHead>) -> Vec<&'static str> {
        self.say(heard, async |_| {}).await
    }

    /// Appends each draft that it wants to append now; returns their kinds.
    pub(crate) async fn say(
        &mut self,
        heard: Option<LogHead>,
        mut say: impl AsyncFnMut(&Draft<Policy>),
    ) -> Vec<&'static str> {
        let owner = self.deployment.operator("owner").await;
        for _ in 0..ROUNDS {
            for (_, fetch) in self.core.fetches() {
                self.core.input(fetched(&owner, fetch).await);
            }
        }
        let (busy, running) = (BTreeSet::new(), BTreeSet::new());
        let (now, clock) = (self.verifier.now(), self.deployment.clock());
        let mut out = Outbox::new(now, heard, &busy, &running, clock);
        self.core.next(&mut out);
        let mut kinds = Vec::new();
        for draft in out.drafts() {
            say(draft).await;
            kinds.push(draft.kind());
        }
        kinds
    }
}

async fn fetched(owner: &BusClient, fetch: Fetch) -> Fetched {
    match fetch {
        Fetch::Catalogue { content } => {
            let bytes = owner.get(AuthorId::Owner, &content).await.unwrap();
            Fetched::Catalogue(content, bytes)
        }
        Fetch::Document { place } => {
            let bytes = owner.get(AuthorId::Owner, &place.document).await.unwrap();
            Fetched::Document(place, bytes)
        }
        Fetch::Tools { content } => {
            let bytes = owner.get(AuthorId::Owner, &content).await.unwrap();
            Fetched::Tools(content, bytes)
        }
        Fetch::Arguments {
            action,
            by,
            content,
        } => Fetched::Arguments(action, owner.get(by, &content).await.unwrap()),
        Fetch::Job { content } => {
            let bytes = owner.get(AuthorId::Owner, &content).await.unwrap();
            Fetched::Job(content, bytes)
        }
        Fetch::Body { task, content } => {
            let bytes = owner.get(AuthorId::Scheduler, &content).await.unwrap();
            Fetched::Body(task, bytes)
        }
        Fetch::Said {
            task,
            number,
            content,
        } => {
            let bytes = owner.get(AuthorId::Gateway, &content).await.unwrap();
            Fetched::Said(task, number, bytes)
        }
        Fetch::Words { task, by, content } => {
            Fetched::Words(task, owner.get(by, &content).await.unwrap())
        }
        Fetch::Slots { task, by, content } => {
            Fetched::Slots(task, owner.get(by, &content).await.unwrap())
        }
        Fetch::Earlier {
            task,
            action,
            part,
            by,
            content,
        } => {
            let bytes = owner.get(by, &content).await.unwrap();
            Fetched::Earlier(task, action, part, bytes)
        }
    }
}

/// The stored bytes, with no verdict on them.
pub(crate) async fn stored(deployment: &Deployment) -> Vec<Stored> {
    let mut all = Vec::new();
    let owner = deployment.operator("owner").await;
    let scanned = owner.scan(">", 1, |stored| {
        all.push(stored);
        true
    });
    scanned.await.unwrap();
    all
}

/// A fresh head of a log that has all messages so far.
pub(crate) fn fresh(stored: &[Stored]) -> Option<LogHead> {
    let last = stored.last()?;
    Some(LogHead {
        head: Head {
            size: last.seq + 1,
            root: Digest::ZERO,
            stored: last.stored,
        },
        age: Duration::ZERO,
    })
}

//! A stream of signed events, and a core that reads it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actor::{Clock, Core as _, Outbox};
use audit::{AuditCore, Effect, Input, Log, Origin};
use bus_schema::testing::{TestLog, TestMessage};
use bus_schema::{
    Audit, AuditFact, Author, AuthorId, ChainScope, Deployment, DeploymentId, Draft, HaltOrdered,
    Owner, Read, Time, Verifier,
};
use ed25519_dalek::SigningKey;

pub(crate) use bus_schema::testing::owner;

use crate::{Home, NOW_NS, key};

pub(crate) const DEPLOYMENT: &str = "0198c3f0-0000-7000-8000-000000000001";

pub(crate) fn deployment() -> DeploymentId {
    DEPLOYMENT.parse().unwrap()
}

/// The authors, and the stream of their events.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) log: TestLog,
}

impl World {
    /// A stream whose first message is the roster.
    pub(crate) fn new() -> Self {
        let mut world = Self::empty();
        world.roster(deployment());
        world
    }

    pub(crate) fn empty() -> Self {
        let clock = Clock::fake(Time::from_ns(NOW_NS));
        let mut log = TestLog::new(clock.wall());
        log.keys.insert(AuthorId::Audit, key());
        Self { clock, log }
    }

    pub(crate) fn roster(&mut self, deployment: DeploymentId) {
        let roster = self.log.roster(deployment);
        self.say(&Draft::<Owner>::of(Deployment, roster));
    }

    /// Signs a draft as its author and stores it.
    pub(crate) fn say<A: Author>(&mut self, draft: &Draft<A>) {
        self.log.now = self.clock.wall();
        self.log.append(draft);
        self.clock.advance(Duration::from_millis(1));
    }

    fn put(&mut self, subject: String, signature: Option<String>, body: Vec<u8>) {
        self.log.now = self.clock.wall();
        self.log.push(subject, signature, body);
        self.clock.advance(Duration::from_millis(1));
    }

    pub(crate) fn halts(&mut self, count: u64) {
        for _ in 0..count {
            self.say(&Draft::<Owner>::of(Deployment, HaltOrdered {}));
        }
    }

    /// A message that nobody signed.
    pub(crate) fn junk(&mut self) {
        self.put("event.policy.halt.ordered".into(), None, b"junk".to_vec());
    }

    /// A copy of an event that is genuine at its original place.
    pub(crate) fn replay(&mut self, seq: usize) {
        let copy = self.log.messages[seq - 1].clone();
        self.put(copy.subject, copy.signature, copy.body);
    }
}

/// A core with its log on disk, and the stream up to its read position.
pub(crate) struct Desk {
    pub(crate) home: Home,
    pub(crate) log: Log,
    pub(crate) core: AuditCore,
    pub(crate) verifier: Verifier,
    pub(crate) read: usize,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::at(Home::new(), key())
    }

    /// Opens the existing log, or creates one; the projection is lost.
    pub(crate) fn at(home: Home, key: SigningKey) -> Self {
        let origin = Origin::of(deployment());
        let places = home.places();
        let log = Log::open(&places, &origin, key.clone())
            .or_else(|_| Log::create(&places, &origin, key, NOW_NS))
            .unwrap();
        let core = AuditCore::new(deployment(), Arc::new(log.view().unwrap()), Time::default());
        Self {
            home,
            log,
            core,
            verifier: Verifier::new(owner(), ChainScope::Everything),
            read: 0,
        }
    }

    /// Stops and starts again.
    pub(crate) fn restarted(self) -> Self {
        let Self { home, log, .. } = self;
        drop(log);
        Self::at(home, key())
    }

    pub(crate) fn take(&mut self, message: &TestMessage) {
        let raw = message.raw();
        match self.verifier.read::<AuditFact>(&raw).unwrap() {
            Read::Fact(seen) => {
                let meta = *seen.meta();
                self.core.observe(&raw, Ok(&meta));
                self.core.fold(seen);
            }
            Read::Other(meta) => self.core.observe(&raw, Ok(&meta)),
            Read::Junk(junk) => self.core.observe(&raw, Err(junk)),
        }
    }

    /// Reads to the end of the stream.
    pub(crate) fn follow(&mut self, world: &World) {
        for message in &world.log.messages[self.read..] {
            self.take(message);
        }
        self.read = world.log.messages.len();
    }

    /// Lets a second pass, and stores the due entries.
    pub(crate) fn store(&mut self) {
        self.core.input(Input::Second);
        if let Some(Effect::Store {
            entries, reading, ..
        }) = self.core.to_store()
        {
            let known = self.log.size();
            let new: Vec<_> = entries.iter().filter(|entry| entry.seq >= known).collect();
            let new: Vec<_> = new
                .into_iter()
                .map(|entry| entry.as_ref().clone())
                .collect();
            self.log.append(&new).unwrap();
            self.log.checkpoint(NOW_NS).unwrap();
            let view = Arc::new(self.log.view().unwrap());
            let stored = Time::from_ns(entries.last().unwrap().stored_ns);
            self.core.input(Input::Stored {
                view,
                stored,
                reading,
            });
        }
    }

    /// Reads and stores everything, and reports that the core has caught up.
    pub(crate) fn catch_up(&mut self, world: &World) {
        self.follow(world);
        self.core.caught_up();
        self.store();
    }

    /// Appends the core's next event, if there is one, and reads it back; returns its kind.
    pub(crate) fn say(&mut self, world: &mut World) -> Option<&'static str> {
        let (busy, running) = (BTreeSet::new(), BTreeSet::new());
        let clock = world.clock.clone();
        let mut out = Outbox::new(clock.wall(), None, &busy, &running, &clock);
        self.core.next(&mut out);
        let drafts: Vec<&Draft<Audit>> = out.drafts();
        assert!(drafts.len() <= 1, "one chain takes one event at a time");
        let draft = *drafts.first()?;
        world.say(draft);
        let kind = draft.kind();
        self.follow(world);
        Some(kind)
    }
}

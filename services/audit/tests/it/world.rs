//! A stream of signed events, and a core that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actor::{Clock, Core as _, Outbox};
use audit::{AuditCore, Effect, Input, Log, Origin};
use bus_schema::{
    Audit, AuditFact, Author, AuthorId, AuthorKey, Chain, ChainScope, Deployment, DeploymentId,
    Digest, Draft, EventId, HaltOrdered, Link, Owner, PublicKey, Raw, Read, RosterChanged, TaskId,
    Time, Verifier, public_key,
};
use ed25519_dalek::SigningKey;

use crate::{Home, NOW_NS, key};

pub(crate) const DEPLOYMENT: &str = "0198c3f0-0000-7000-8000-000000000001";

pub(crate) fn deployment() -> DeploymentId {
    DEPLOYMENT.parse().unwrap()
}

pub(crate) fn owner() -> PublicKey {
    public_key(&SigningKey::from_bytes(&[1; 32]))
}

/// A message as the stream holds it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) signature: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) seq: u64,
    pub(crate) stored: Time,
}

impl Message {
    pub(crate) fn raw(&self) -> Raw<'_> {
        Raw {
            subject: &self.subject,
            signature: self.signature.as_deref(),
            body: &self.body,
            seq: self.seq,
            stored: self.stored,
        }
    }
}

/// The authors, and the stream of their events.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) stream: Vec<Message>,
    pub(crate) audit: SigningKey,
    tips: BTreeMap<(AuthorId, Option<TaskId>), (u64, Digest)>,
}

impl World {
    /// A stream whose first message is the roster.
    pub(crate) fn new() -> Self {
        let mut world = Self::empty();
        world.roster(deployment());
        world
    }

    pub(crate) fn empty() -> Self {
        Self {
            clock: Clock::fake(Time::from_ns(NOW_NS)),
            stream: Vec::new(),
            audit: key(),
            tips: BTreeMap::new(),
        }
    }

    pub(crate) fn roster(&mut self, deployment: DeploymentId) {
        let of = |author, seed: u8| AuthorKey {
            author,
            key: public_key(&SigningKey::from_bytes(&[seed; 32])),
        };
        let audit = AuthorKey {
            author: AuthorId::Audit,
            key: public_key(&self.audit),
        };
        let keys = vec![of(AuthorId::Policy, 2), of(AuthorId::Worker, 3), audit];
        self.say(&Draft::<Owner>::of(
            Deployment,
            RosterChanged { deployment, keys },
        ));
    }

    /// Signs a draft as its author and stores it.
    pub(crate) fn say<A: Author>(&mut self, draft: &Draft<A>) {
        let chain = match A::ID.chain() {
            Chain::Whole => None,
            Chain::PerTask => draft.task(),
        };
        let (seq, prev) = self
            .tips
            .get(&(A::ID, chain))
            .copied()
            .unwrap_or((0, Digest::ZERO));
        let link = Link {
            seq: seq + 1,
            prev,
            id: EventId::new(self.clock.uuid()),
            at: self.clock.wall(),
        };
        let key = match A::ID {
            AuthorId::Owner => SigningKey::from_bytes(&[1; 32]),
            AuthorId::Policy => SigningKey::from_bytes(&[2; 32]),
            AuthorId::Audit => self.audit.clone(),
            AuthorId::Gateway | AuthorId::Worker | AuthorId::Runner => {
                SigningKey::from_bytes(&[3; 32])
            }
        };
        let event = draft.sign(link, &key);
        self.tips
            .insert((A::ID, chain), (seq + 1, Digest::of(&[&event.body])));
        self.put(event.subject, Some(event.signature.to_string()), event.body);
    }

    pub(crate) fn put(&mut self, subject: String, signature: Option<String>, body: Vec<u8>) {
        let seq = u64::try_from(self.stream.len()).unwrap() + 1;
        let stored = self.clock.wall();
        self.clock.advance(Duration::from_millis(1));
        self.stream.push(Message {
            subject,
            signature,
            body,
            seq,
            stored,
        });
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
        let copy = self.stream[seq - 1].clone();
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

    pub(crate) fn take(&mut self, message: &Message) {
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
        for message in &world.stream[self.read..] {
            self.take(message);
        }
        self.read = world.stream.len();
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

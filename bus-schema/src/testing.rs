//! An in-memory log for tests: signed events of every author, each in its chain, and the contents beside them.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use uuid::Uuid;

use crate::{
    Author, AuthorId, AuthorKey, Body, Capabilities, Chain, Content, DeploymentId, Digest, Draft,
    Event, EventId, Hardening, Link, MountPoint, Profile, Property, PublicKey, Raw, RosterChanged,
    Salt, Sealed, ServiceStarted, TaskId, Time, Tip, public_key, wire,
};

/// The key of an author, unless a test replaces it in its log.
#[must_use]
pub fn key(author: AuthorId) -> SigningKey {
    SigningKey::from_bytes(&[author as u8 + 1; 32])
}

/// The owner's public key.
#[must_use]
pub fn owner() -> PublicKey {
    public_key(&key(AuthorId::Owner))
}

/// The id of the event at this place of a log.
#[must_use]
pub fn event_id(seq: u64) -> EventId {
    EventId::new(Uuid::from_u128(u128::from(seq)))
}

/// Returns the hardening and the version that a service says at its start.
#[must_use]
pub fn started() -> ServiceStarted {
    ServiceStarted {
        version: "0.1.0".parse().expect("a version"),
        hardening: Hardening {
            profile: Profile::Container,
            waived: vec![Property::ReadOnlyRoot],
            uid: 10_003,
            gid: 10_003,
            other_groups: 0,
            capabilities: Capabilities::default(),
            no_new_privileges: true,
            seccomp: 2,
            read_only_root: false,
            landlock_abi: 7,
            dumpable: false,
            core_bytes_max: 0,
            writable: vec![MountPoint::try_from("/state".to_owned()).expect("a path")],
        },
    }
}

/// Returns the body of an unpublished draft; none if its fact is not an `E`.
#[must_use]
pub fn body<A: Author, E: Event>(draft: &Draft<A>) -> Option<Body<E>> {
    let link = Link {
        seq: 1,
        prev: Digest::ZERO,
        id: event_id(1),
        at: Time::default(),
    };
    let event = draft.sign(link, &key(A::ID));
    wire::decode(&event.body)
        .ok()
        .filter(|_| draft.kind() == E::KIND)
}

/// A message as the log holds it.
#[derive(Debug, Clone)]
pub struct TestMessage {
    /// The subject it is stored under.
    pub subject: String,
    /// The header [`crate::HEADER_SIGNATURE`].
    pub signature: Option<String>,
    /// The payload.
    pub body: Vec<u8>,
    /// Its place in the log.
    pub seq: u64,
    /// Bus time.
    pub stored: Time,
}

impl TestMessage {
    /// The message as a verifier reads it.
    #[must_use]
    pub fn raw(&self) -> Raw<'_> {
        Raw {
            subject: &self.subject,
            signature: self.signature.as_deref(),
            body: &self.body,
            seq: self.seq,
            stored: self.stored,
        }
    }
}

/// An in-memory log; a test changes it to simulate faults.
#[derive(Debug, Clone)]
pub struct TestLog {
    /// All messages, in order.
    pub messages: Vec<TestMessage>,
    /// The place of the last message; a larger value leaves a gap before the next.
    pub seq: u64,
    /// Bus time, and the clock of every author.
    pub now: Time,
    /// The keys that sign.
    pub keys: BTreeMap<AuthorId, SigningKey>,
    /// Each author's contents by digest: salt and bytes.
    pub contents: BTreeMap<(AuthorId, Digest), Vec<u8>>,
    tips: BTreeMap<(AuthorId, Option<TaskId>), Tip>,
    salts: u64,
}

impl TestLog {
    /// Makes an empty log.
    #[must_use]
    pub fn new(now: Time) -> Self {
        let keys = AuthorId::ALL.iter().map(|author| (*author, key(*author)));
        Self {
            messages: Vec::new(),
            seq: 0,
            now,
            keys: keys.collect(),
            contents: BTreeMap::new(),
            tips: BTreeMap::new(),
            salts: 0,
        }
    }

    /// The roster of all authors with their keys, to be the first event.
    #[must_use]
    pub fn roster(&self, deployment: DeploymentId) -> RosterChanged {
        let services = self.keys.iter().filter(|(by, _)| **by != AuthorId::Owner);
        let keys = services.map(|(author, key)| AuthorKey {
            author: *author,
            key: public_key(key),
        });
        RosterChanged {
            deployment,
            keys: keys.collect(),
            sealing: Vec::new(),
        }
    }

    /// Appends a draft as its author's next event, and stores its contents.
    ///
    /// # Panics
    /// Panics if the author has no key.
    pub fn append<A: Author>(&mut self, draft: &Draft<A>) -> &TestMessage {
        for sealed in draft.contents() {
            self.store(A::ID, sealed);
        }
        let task = draft.task().filter(|_| A::ID.chain() == Chain::PerTask);
        let tip = self.tips.entry((A::ID, task)).or_insert(Tip::START);
        let link = Link {
            seq: tip.seq + 1,
            prev: tip.digest,
            id: event_id(self.seq + 1),
            at: self.now,
        };
        let key = self.keys.get(&A::ID).expect("each author has a key");
        let event = draft.sign(link, key);
        *tip = Tip {
            seq: link.seq,
            digest: event.digest(),
        };
        self.push(event.subject, Some(event.signature.to_string()), event.body)
    }

    /// Appends any message; it moves no chain.
    ///
    /// # Panics
    /// Never: the log has a last message then.
    pub fn push(
        &mut self,
        subject: String,
        signature: Option<String>,
        body: Vec<u8>,
    ) -> &TestMessage {
        self.seq += 1;
        self.messages.push(TestMessage {
            subject,
            signature,
            body,
            seq: self.seq,
            stored: self.now,
        });
        self.messages.last().expect("a message was pushed")
    }

    fn store(&mut self, by: AuthorId, sealed: &Sealed) {
        let digest = *sealed.content().digest();
        self.contents.insert((by, digest), sealed.stored().to_vec());
    }

    /// Stores a content of an author, under a salt of its own.
    ///
    /// # Panics
    /// Panics if the content is too large.
    pub fn put(&mut self, by: AuthorId, bytes: &[u8]) -> Content {
        self.salts += 1;
        let salt = Digest::of(&[&self.salts.to_be_bytes()]);
        let sealed = Sealed::new(Salt::new(*salt.as_bytes()), bytes).expect("a small content");
        self.store(by, &sealed);
        sealed.content()
    }

    /// Returns the bytes of an author's content, unless they were erased.
    #[must_use]
    pub fn get(&self, by: AuthorId, content: Content) -> Option<Vec<u8>> {
        content.open(self.contents.get(&(by, *content.digest()))?)
    }

    /// Erases a content.
    pub fn erase(&mut self, content: Content) {
        self.contents
            .retain(|(_, digest), _| digest != content.digest());
    }
}

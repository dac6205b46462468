//! A stream in memory: events of each author, signed and chained like real ones.

use std::collections::BTreeMap;

use bus_schema::{
    Author, AuthorId, AuthorKey, Body, CanPublish, Chain, ChainScope, Deployment, DeploymentId,
    Digest, Draft, ENVELOPE_V, Event, EventId, FACTS, Facts, Junk, Link, Owner, PublicKey, Raw,
    Read, RosterChanged, Signature, Subject, TaskId, Time, TooOld, Verifier, public_key, wire,
};
use ed25519_dalek::{Signer as _, SigningKey};

pub(crate) const T0: Time = Time::from_ns(1_790_000_000_000_000_000);

pub(crate) fn uuid(n: u128) -> String {
    let digits = format!(
        "{:032x}",
        0x019a_bcde_0000_7000_8000_0000_0000_0000_u128 + n
    );
    let parts: Vec<&str> = [0..8, 8..12, 12..16, 16..20, 20..32]
        .into_iter()
        .map(|range| digits.get(range).expect("32 digits"))
        .collect();
    parts.join("-")
}

pub(crate) fn id<T: std::str::FromStr>(n: u128) -> T
where
    T::Err: std::fmt::Debug,
{
    uuid(n).parse().expect("a UUID is an id")
}

pub(crate) fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a valid name")
}

pub(crate) fn deployment() -> DeploymentId {
    id(1)
}

pub(crate) fn task() -> TaskId {
    id(2)
}

pub(crate) fn key_of(author: AuthorId) -> SigningKey {
    let place = AuthorId::ALL
        .iter()
        .position(|id| *id == author)
        .expect("all are listed");
    SigningKey::from_bytes(&[u8::try_from(place).expect("few authors") + 1; 32])
}

pub(crate) fn new_key(author: AuthorId) -> SigningKey {
    let mut seed = key_of(author).to_bytes();
    seed.iter_mut().for_each(|byte| *byte += 100);
    SigningKey::from_bytes(&seed)
}

pub(crate) fn owner() -> PublicKey {
    public_key(&key_of(AuthorId::Owner))
}

/// The roster of the keys that [`key_of`] makes.
pub(crate) fn roster() -> RosterChanged {
    let others = AuthorId::ALL
        .iter()
        .filter(|author| **author != AuthorId::Owner);
    let keys = others.map(|author| AuthorKey {
        author: *author,
        key: public_key(&key_of(*author)),
    });
    RosterChanged {
        deployment: deployment(),
        keys: keys.collect(),
        sealing: Vec::new(),
    }
}

/// A roster like [`roster`], but with `key` for `author`, or without it.
pub(crate) fn roster_with(author: AuthorId, key: Option<&SigningKey>) -> RosterChanged {
    let mut roster = roster();
    roster.keys.retain(|entry| entry.author != author);
    roster.keys.extend(key.map(|key| AuthorKey {
        author,
        key: public_key(key),
    }));
    roster
}

/// A stored message.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) signature: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) seq: u64,
}

impl Stored {
    pub(crate) fn raw(&self) -> Raw<'_> {
        Raw {
            subject: &self.subject,
            signature: self.signature.as_deref(),
            body: &self.body,
            seq: self.seq,
            stored: T0.plus_ms(self.seq),
        }
    }
    pub(crate) fn signed_by(mut self, key: &SigningKey) -> Self {
        self.signature = Some(Signature::new(key.sign(&self.body).to_bytes()).to_string());
        self
    }
    pub(crate) fn at(mut self, seq: u64) -> Self {
        self.seq = seq;
        self
    }
    pub(crate) fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }
}

/// Writes a stream.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stream {
    pub(crate) seq: u64,
    tips: BTreeMap<(AuthorId, Option<TaskId>), (u64, Digest)>,
}

impl Stream {
    /// Appends the next event of `A`.
    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(
        &mut self,
        scope: E::Scope,
        fact: E,
    ) -> Stored {
        self.say_with::<A, E>(scope, fact, &key_of(A::ID))
    }
    /// The same, signed by `key`.
    pub(crate) fn say_with<A: Author + CanPublish<E>, E: Event>(
        &mut self,
        scope: E::Scope,
        fact: E,
        key: &SigningKey,
    ) -> Stored {
        let draft = Draft::<A>::of(scope, fact);
        let (seq, prev) = self.tip(A::ID, draft.task());
        self.seq += 1;
        let link = Link {
            seq: seq + 1,
            prev,
            id: id(u128::from(self.seq) + 1000),
            at: T0,
        };
        let event = draft.sign(link, key);
        self.said(A::ID, draft.task(), seq + 1, &event.body);
        Stored {
            subject: event.subject,
            signature: Some(event.signature.to_string()),
            body: event.body,
            seq: self.seq,
        }
    }
    pub(crate) fn tip(&self, author: AuthorId, task: Option<TaskId>) -> (u64, Digest) {
        self.tips
            .get(&chain(author, task))
            .copied()
            .unwrap_or((0, Digest::ZERO))
    }
    fn said(&mut self, author: AuthorId, task: Option<TaskId>, seq: u64, body: &[u8]) {
        self.tips
            .insert(chain(author, task), (seq, Digest::of(&[body])));
    }
    /// A stream that begins with [`roster`], and a verifier that has read it.
    pub(crate) fn begun(sees: ChainScope) -> (Self, Verifier) {
        let mut stream = Self::default();
        let mut verifier = Verifier::new(owner(), sees);
        let first = stream.say::<Owner, _>(Deployment, roster());
        accepted(&mut verifier, &first);
        (stream, verifier)
    }
}

fn chain(author: AuthorId, task: Option<TaskId>) -> (AuthorId, Option<TaskId>) {
    (author, task.filter(|_| author.chain() == Chain::PerTask))
}

/// The task that a subject names; the tests' task for a chain without tasks in its subjects.
fn named_task(subject: &str) -> Option<TaskId> {
    let subject = Subject::parse(subject)?;
    let spec = FACTS.iter().find(|spec| spec.kind == subject.kind);
    match subject.by.chain() {
        Chain::PerTask => subject.task,
        Chain::Whole => spec.is_some_and(|spec| spec.of_task).then(task),
    }
}

/// A body without a check that its author may publish it.
pub(crate) fn body<F: serde::Serialize>(
    author: AuthorId,
    subject: &str,
    schema: &str,
    (seq, prev): (u64, Digest),
    fact: F,
) -> Vec<u8> {
    body_about(
        author,
        named_task(subject),
        subject,
        schema,
        (seq, prev),
        fact,
    )
}

/// The same about any task.
pub(crate) fn body_about<F: serde::Serialize>(
    author: AuthorId,
    task: Option<TaskId>,
    subject: &str,
    schema: &str,
    (seq, prev): (u64, Digest),
    fact: F,
) -> Vec<u8> {
    wire::encode(&Body {
        v: ENVELOPE_V,
        subject: subject.to_owned(),
        schema: schema.to_owned(),
        author,
        task,
        seq,
        prev,
        id: id::<EventId>(77),
        cause: None,
        at: T0,
        fact,
    })
}

/// Reads `stored` as `F`.
pub(crate) fn read<F: Facts>(
    verifier: &mut Verifier,
    stored: &Stored,
) -> Result<Result<bool, Junk>, TooOld> {
    Ok(match verifier.read::<F>(&stored.raw())? {
        Read::Fact(_) => Ok(true),
        Read::Other(_) => Ok(false),
        Read::Junk(junk) => Err(junk),
    })
}

/// Reads it as the reader `policy` does, and asserts that it is an event.
pub(crate) fn accepted(verifier: &mut Verifier, stored: &Stored) {
    let read = read::<bus_schema::PolicyFact>(verifier, stored).expect("not too old");
    assert!(
        read.is_ok(),
        "{} at {}: {read:?}",
        stored.subject,
        stored.seq
    );
}

/// The tips of all chains in the tests.
pub(crate) fn tips(verifier: &Verifier) -> Vec<bus_schema::Tip> {
    let scopes = [None, Some(task()), Some(id(3))];
    let all = AuthorId::ALL
        .iter()
        .flat_map(|author| scopes.map(|scope| (*author, scope)));
    all.map(|(author, scope)| verifier.tip(author, scope))
        .collect()
}

/// Reads it, asserts that it is junk and moves no chain, and returns the kind of junk.
pub(crate) fn refused<F: Facts>(verifier: &mut Verifier, stored: &Stored) -> Junk {
    let before = tips(verifier);
    let junk = read::<F>(verifier, stored)
        .expect("not too old")
        .expect_err("not an event");
    assert_eq!(tips(verifier), before, "{junk} moves a chain");
    assert!(
        verifier.junk().get(&junk).is_some_and(|count| *count > 0),
        "{junk} is counted"
    );
    junk
}

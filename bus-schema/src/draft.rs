//! Drafts: facts to be published, and the link that makes them events of a chain.

use std::{fmt, marker::PhantomData};

use ed25519_dalek::{Signer as _, SigningKey};

use crate::{
    Author, Body, CanPublish, Content, Digest, ENVELOPE_V, Event, EventId, PublicKey, Scope as _,
    Sealed, Signature, Subject, TaskId, Time, wire,
};

/// The position of an event in its author's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its place, from 1.
    pub seq: u64,
    /// SHA-256 of the body before it.
    pub prev: Digest,
    /// Its id.
    pub id: EventId,
    /// The time by the author's clock.
    pub at: Time,
}

type Encode = Box<dyn Fn(Subject<'_>, Option<EventId>, Link) -> Vec<u8> + Send + Sync>;

/// A fact that `A` wants to publish, with the contents that must be stored before it.
pub struct Draft<A> {
    task: Option<TaskId>,
    kind: &'static str,
    v: u16,
    cause: Option<EventId>,
    contents: Vec<Sealed>,
    encode: Encode,
    author: PhantomData<A>,
}

/// An event, signed and ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEvent {
    /// The subject it is published to.
    pub subject: String,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// The header [`crate::HEADER_SCHEMA`].
    pub schema: String,
    /// The header [`crate::HEADER_SIGNATURE`].
    pub signature: Signature,
    /// The payload.
    pub body: Vec<u8>,
    /// Its id.
    pub id: EventId,
}

impl SignedEvent {
    /// The digest that the next event of its chain has as `prev`.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.body])
    }
}

impl<A: Author> Draft<A> {
    /// Makes a draft about `scope`; another author's fact does not compile.
    #[must_use]
    pub fn of<E: Event>(scope: E::Scope, fact: E) -> Self
    where
        A: CanPublish<E>,
    {
        let encode: Encode = Box::new(move |subject, cause, link| {
            wire::encode(&Body {
                v: ENVELOPE_V,
                subject: subject.to_string(),
                schema: format!("{}.v{}", E::KIND, E::V),
                author: subject.by,
                task: subject.task,
                seq: link.seq,
                prev: link.prev,
                id: link.id,
                cause,
                at: link.at,
                fact: &fact,
            })
        });
        Self {
            task: scope.task(),
            kind: E::KIND,
            v: E::V,
            cause: None,
            contents: Vec::new(),
            encode,
            author: PhantomData,
        }
    }

    /// Names the event that caused it.
    #[must_use]
    pub fn because(mut self, cause: EventId) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Adds a content that the fact names; it is stored first.
    #[must_use]
    pub fn with(mut self, content: Sealed) -> Self {
        self.contents.push(content);
        self
    }

    /// The task it is about.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        self.task
    }

    /// `<noun>.<past-verb>`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The contents to be stored first.
    #[must_use]
    pub fn contents(&self) -> &[Sealed] {
        &self.contents
    }

    /// The contents' names.
    #[must_use]
    pub fn named(&self) -> Vec<Content> {
        self.contents.iter().map(Sealed::content).collect()
    }

    /// Signs it as the event at `link`.
    #[must_use]
    pub fn sign(&self, link: Link, key: &SigningKey) -> SignedEvent {
        let subject = Subject {
            by: A::ID,
            task: self.task,
            kind: self.kind,
        };
        let body = (self.encode)(subject, self.cause, link);
        SignedEvent {
            schema: format!("{}.v{}", self.kind, self.v),
            signature: Signature::new(key.sign(&body).to_bytes()),
            subject: subject.to_string(),
            task: self.task,
            body,
            id: link.id,
        }
    }
}

impl<A> fmt::Debug for Draft<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("kind", &self.kind)
            .field("task", &self.task)
            .finish()
    }
}

/// The public half of a signing key.
#[must_use]
pub fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey::new(key.verifying_key().to_bytes())
}

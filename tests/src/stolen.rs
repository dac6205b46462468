//! A stolen identity: signs and appends valid events with the real keys of a service, from its files.

use std::marker::PhantomData;

use actor::Clock;
use async_nats::HeaderMap;
use bus_schema::{
    Author, AuthorId, Body, Call, CanCall, Digest, Draft, ENVELOPE_V, EventId, HEADER_SIGNATURE,
    Link, Signature, SignedEvent, wire,
};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::{Ack, Client, Deployment};

/// Everything that an author has: its signing key, its certificate and its NKey.
#[derive(Debug)]
pub struct Stolen<'a, A> {
    /// The deployment that it was stolen from.
    pub deployment: &'a Deployment,
    /// The signing key.
    pub key: SigningKey,
    /// A connection with its certificate and NKey.
    pub client: Client,
    author: PhantomData<A>,
}

/// The link of the `seq`th event of a chain, after the event with the body `prev`.
#[must_use]
pub fn link(clock: &Clock, seq: u64, prev: Digest) -> Link {
    Link {
        seq,
        prev,
        id: EventId::new(clock.uuid()),
        at: clock.wall(),
    }
}

impl Deployment {
    /// Steals the identity of an author.
    ///
    /// # Panics
    /// Panics if the server does not run.
    pub async fn steal<A: Author>(&self) -> Stolen<'_, A> {
        Stolen {
            deployment: self,
            key: self.signing_key(A::ID),
            client: self.client(A::ID.name()).await,
            author: PhantomData,
        }
    }
}

impl<A: Author> Stolen<'_, A> {
    /// Signs a draft as the next event of its chain; also returns the subtree and its last message.
    ///
    /// # Panics
    /// Panics if the record cannot be read.
    pub async fn sign(&self, draft: &Draft<A>) -> (SignedEvent, String, u64) {
        let record = self.deployment.record().await;
        let tip = record.verifier().tip(A::ID, draft.task());
        let (subtree, last) = record.subtree(A::ID, draft.task());
        let link = link(self.deployment.clock(), tip.seq + 1, tip.digest);
        (draft.sign(link, &self.key), subtree, last)
    }

    /// Appends an event in the author's name, as the author does: contents first, then the event with its
    /// compare-and-set; retries if another event was first.
    ///
    /// # Panics
    /// Panics if the server does not store it.
    pub async fn say(&self, draft: &Draft<A>) -> u64 {
        self.put(draft).await;
        for _ in 0..20 {
            let (event, subtree, last) = self.sign(draft).await;
            let ack = self.client.publish(&event, Some((&subtree, last))).await;
            let ack = ack.unwrap_or_else(|error| panic!("{draft:?}: {error}"));
            match ack.stored() {
                Ok(seq) => return seq,
                Err(10_071) => {}
                Err(code) => panic!("{draft:?}: {code}"),
            }
        }
        panic!("{draft:?}: others are always first")
    }

    /// Appends an event without the compare-and-set.
    ///
    /// # Panics
    /// Panics if the server does not answer.
    pub async fn say_blindly(&self, draft: &Draft<A>) -> Ack {
        let (event, _, _) = self.sign(draft).await;
        self.client.publish(&event, None).await.unwrap()
    }

    /// Asks another actor, as the author does; returns its answer.
    ///
    /// # Panics
    /// Panics if nobody answers.
    pub async fn ask<C: Call>(&self, callee: AuthorId, call: C) -> C::Reply
    where
        A: CanCall<C>,
    {
        let clock = self.deployment.clock();
        let subject = C::subject(callee, A::ID);
        let body = wire::encode(&Body {
            v: ENVELOPE_V,
            subject: subject.clone(),
            schema: format!("{}.v1", C::VERB),
            author: A::ID,
            task: None,
            seq: 0,
            prev: Digest::ZERO,
            id: EventId::new(clock.uuid()),
            cause: None,
            at: clock.wall(),
            fact: call,
        });
        let signature = Signature::new(self.key.sign(&body).to_bytes());
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_SIGNATURE, signature.to_string());
        let nats = &self.client.nats;
        let answer = nats.request_with_headers(subject, headers, body.into());
        let answer = answer.await.unwrap_or_else(|error| panic!("{error}"));
        let answer: Body<C::Reply> = wire::decode(&answer.payload).unwrap();
        answer.fact
    }

    /// Stores the contents of a draft.
    ///
    /// # Panics
    /// Panics if the server does not store them.
    pub async fn put(&self, draft: &Draft<A>) {
        for sealed in draft.contents() {
            let chunks = sealed.stored().chunks(bus_schema::CHUNK_BYTES_MAX);
            for (n, chunk) in chunks.enumerate() {
                let subject = sealed.content().subject(A::ID, n);
                let stored = self.client.store(&subject, HeaderMap::new(), chunk);
                let ack = stored.await.unwrap();
                // 10077: it is already stored.
                assert!(matches!(ack.stored(), Ok(_) | Err(10_077)), "{ack:?}");
            }
        }
    }
}

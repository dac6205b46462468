//! The bus of one author: its connection, contents, live messages and calls.

use std::{
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_nats::{
    Client, HeaderMap,
    jetstream::{self, message::PublishMessage},
};
use bus_schema::{
    Author, AuthorId, BLOBS, Body, CHUNK_BYTES_MAX, Call, CanCall, Content, Digest, Draft,
    ENVELOPE_V, EventId, HEADER_SIGNATURE, Live, Meta, PublicKey, Sealed, Signature, Verifier,
    account::API, verify, wire,
};
use ed25519_dalek::{Signer as _, SigningKey};
use futures::{Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Clock, Error, Executor, Settled, error::chain, live::Numbers};

/// The timeout of one request.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Most calls that are answered at a time.
const CALLS_MAX: usize = 64;

/// The keys of all authors in the current roster.
pub(crate) type Keys = Arc<RwLock<BTreeMap<AuthorId, PublicKey>>>;

/// Shares the keys of a verifier's roster.
pub(crate) fn share_keys(keys: &Keys, verifier: &Verifier) {
    let mut keys = keys.write().unwrap_or_else(PoisonError::into_inner);
    for author in AuthorId::ALL {
        match verifier.key(*author) {
            Some(key) => drop(keys.insert(*author, key)),
            None => drop(keys.remove(author)),
        }
    }
}

/// A draft from beside the core, and the channel for its answer.
pub(crate) type Outside<A> = (Draft<A>, oneshot::Sender<Meta>);

/// The actor has stopped; nothing was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor is stopping")]
pub struct Stopped;

/// The reason why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The callee does not answer.
    #[error("{0} does not answer; is it running?")]
    Nobody(AuthorId),
    /// The answer is not signed by the callee.
    #[error("the answer of {0} is not genuine")]
    NotGenuine(AuthorId),
}

/// The bus for one author; clones share it.
pub struct Bus<A> {
    inner: Arc<Inner>,
    outside: mpsc::Sender<Outside<A>>,
    author: PhantomData<A>,
}

struct Inner {
    client: Client,
    jetstream: jetstream::Context,
    /// The number of reconnects.
    reconnected: watch::Receiver<u64>,
    key: SigningKey,
    keys: Keys,
    clock: Clock,
    lives: Numbers,
}

impl<A> Clone for Bus<A> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            outside: self.outside.clone(),
            author: PhantomData,
        }
    }
}

impl<A> fmt::Debug for Bus<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").finish_non_exhaustive()
    }
}

impl<A: Author> Bus<A> {
    pub(crate) fn new(
        client: Client,
        reconnected: watch::Receiver<u64>,
        key: SigningKey,
        keys: Keys,
        clock: Clock,
    ) -> (Self, mpsc::Receiver<Outside<A>>) {
        let mut jetstream = jetstream::with_prefix(client.clone(), API);
        jetstream.set_timeout(REQUEST_TIMEOUT);
        let (outside, inbox) = mpsc::channel(256);
        let inner = Arc::new(Inner {
            client,
            jetstream,
            reconnected,
            key,
            keys,
            clock,
            lives: Numbers::default(),
        });
        (
            Self {
                inner,
                outside,
                author: PhantomData,
            },
            inbox,
        )
    }

    /// The process's clock and randomness.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Notes that the process's first event was stored at `seq`.
    pub(crate) fn begin(&self, seq: u64) {
        self.inner.lives.begin(seq);
    }

    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.inner.key
    }

    /// Appends a draft from beside the core, even if other events of its chain come first. Returns once the own event
    /// was read back.
    ///
    /// # Errors
    /// [`Stopped`] if the actor stops first.
    pub async fn append(&self, draft: Draft<A>) -> Result<Meta, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.outside
            .send((draft, reply))
            .await
            .map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Seals bytes with a fresh salt.
    ///
    /// # Errors
    /// [`bus_schema::TooLarge`] past 4 MiB.
    pub fn seal(&self, bytes: &[u8]) -> Result<Sealed, bus_schema::TooLarge> {
        Sealed::new(self.inner.clock.salt(), bytes)
    }

    /// Stores a content; returns once it is durable. Storing it again is not an error.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server refuses it or does not answer.
    pub async fn put(&self, sealed: &Sealed) -> Result<(), Error> {
        self.again(|| self.put_once(sealed)).await
    }

    async fn put_once(&self, sealed: &Sealed) -> Result<(), Error> {
        let content = sealed.content();
        for (n, chunk) in sealed.stored().chunks(CHUNK_BYTES_MAX).enumerate() {
            let message = PublishMessage::build().payload(chunk.to_vec().into());
            let sent = self
                .inner
                .jetstream
                .send_publish(content.subject(A::ID, n), message)
                .await;
            let stored = match sent {
                Ok(ack) => ack.await.map(drop),
                Err(error) => Err(error),
            };
            match stored {
                Ok(()) => {}
                Err(error) if chain(&error).contains("per subject") => {}
                Err(error) => {
                    return Err(Error::Bus {
                        what: "to store content",
                        reason: chain(&error),
                    });
                }
            }
        }
        Ok(())
    }

    /// Returns the bytes that `author` put under `content`; none if they were erased.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer.
    pub async fn get(&self, author: AuthorId, content: &Content) -> Result<Option<Vec<u8>>, Error> {
        let found = self.get_sealed(author, content).await?;
        Ok(found.map(|sealed| sealed.bytes().to_vec()))
    }

    /// Returns the same with its salt, so that the reader can check it.
    ///
    /// # Errors
    /// As [`Bus::get`].
    pub async fn get_sealed(
        &self,
        author: AuthorId,
        content: &Content,
    ) -> Result<Option<Sealed>, Error> {
        self.again(|| get(&self.inner.client, author, content))
            .await
    }

    /// Sends a request, and again after a reconnect, because the answer went to the old connection. Only for requests
    /// that are safe to repeat.
    async fn again<T, F: Future<Output = T>>(&self, ask: impl Fn() -> F) -> T {
        let mut reconnected = self.inner.reconnected.clone();
        loop {
            reconnected.mark_unchanged();
            tokio::select! {
                answer = ask() => return answer,
                Ok(()) = reconnected.changed() => {}
            }
        }
    }

    /// Publishes a live message.
    pub async fn say<L: Live>(&self, message: L) {
        debug_assert_eq!(L::BY, A::ID);
        let subject = L::subject();
        let seq = self.inner.lives.draw();
        let body = self.body(
            &subject,
            format!("{}.v1", L::WHAT),
            seq,
            Digest::ZERO,
            message,
        );
        let published = self
            .inner
            .client
            .publish_with_headers(subject, self.sign(&body), body.into())
            .await;
        if let Err(error) = published {
            tracing::debug!(error = chain(&error), "a live message was lost");
        }
    }

    /// Subscribes to a live message. Those that its author did not sign, and repeated ones, are left out.
    ///
    /// # Errors
    /// [`Error::Bus`] if the connection is closed.
    pub async fn hear<L: Live>(&self) -> Result<impl Stream<Item = L> + Send + use<A, L>, Error> {
        debug_assert!(L::TO.contains(&A::ID));
        let subscribed = self.inner.client.subscribe(L::subject()).await;
        let messages = subscribed.map_err(|error| Error::Bus {
            what: "to subscribe to live messages",
            reason: chain(&error),
        })?;
        let (bus, mut newest) = (self.clone(), None);
        Ok(messages.filter_map(move |message| {
            let said = bus.said::<L>(&message);
            let said = said.filter(|said| newest.is_none_or(|newest| said.seq > newest));
            newest = said.as_ref().map(|said| said.seq).or(newest);
            std::future::ready(said.map(|said| said.fact))
        }))
    }

    fn said<L: Live>(&self, message: &async_nats::Message) -> Option<Body<L>> {
        if !self.genuine(L::BY, message) {
            return None;
        }
        let said: Body<L> = wire::decode(&message.payload).ok()?;
        (said.subject == L::subject() && said.author == L::BY).then_some(said)
    }

    /// Calls `callee` and waits for its signed answer.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub async fn ask<C: Call>(&self, callee: AuthorId, call: C) -> Result<C::Reply, NoAnswer>
    where
        A: CanCall<C>,
    {
        let subject = C::subject(callee, A::ID);
        let schema = format!("{}.v1", C::VERB);
        let body = self.body(&subject, schema, 0, Digest::ZERO, call);
        let asked = Digest::of(&[&body]);
        let reply = self
            .inner
            .client
            .request_with_headers(subject, self.sign(&body), body.into())
            .await
            .map_err(|_| NoAnswer::Nobody(callee))?;
        let genuine = self.genuine(callee, &reply);
        let answer: Body<C::Reply> = genuine
            .then(|| wire::decode(&reply.payload).ok())
            .flatten()
            .ok_or(NoAnswer::NotGenuine(callee))?;
        if answer.author == callee && answer.prev == asked {
            Ok(answer.fact)
        } else {
            Err(NoAnswer::NotGenuine(callee))
        }
    }

    /// Answers calls until the connection ends. A request that the caller did not sign gets no answer.
    pub async fn serve<C: Call>(self, answer: impl Fn(C) -> C::Reply + Send + Sync) {
        self.serve_later(|call| std::future::ready(answer(call)))
            .await;
    }

    /// Answers calls as [`Bus::serve`] does, each as soon as its answer is there.
    pub async fn serve_later<C: Call, F>(self, answer: impl Fn(C) -> F + Send + Sync)
    where
        F: Future<Output = C::Reply> + Send,
    {
        let mut calls = futures::stream::SelectAll::new();
        for caller in C::FROM {
            match self
                .inner
                .client
                .subscribe(C::subject(A::ID, *caller))
                .await
            {
                Ok(subscription) => {
                    calls.push(subscription.map(move |call| (*caller, call)).boxed())
                }
                Err(error) => tracing::error!(error = chain(&error), "cannot answer calls"),
            }
        }
        let answers = calls.map(|(caller, call)| self.answered(caller, call, &answer));
        let mut answers = answers.buffer_unordered(CALLS_MAX);
        while answers.next().await.is_some() {}
    }

    /// Answers one call, if the caller signed it.
    async fn answered<C: Call, F: Future<Output = C::Reply>>(
        &self,
        caller: AuthorId,
        call: async_nats::Message,
        answer: impl Fn(C) -> F,
    ) {
        let Some(reply_to) = call.reply.clone().filter(|_| self.genuine(caller, &call)) else {
            return;
        };
        let Ok(asked) = wire::decode::<Body<C>>(&call.payload) else {
            return;
        };
        if asked.author != caller || asked.subject != call.subject.as_str() {
            return;
        }
        let schema = format!("{}.v1", C::VERB);
        let prev = Digest::of(&[&call.payload]);
        let reply = answer(asked.fact).await;
        let body = self.body(reply_to.as_str(), schema, 0, prev, reply);
        let sent = self
            .inner
            .client
            .publish_with_headers(reply_to, self.sign(&body), body.into())
            .await;
        if let Err(error) = sent {
            tracing::debug!(error = chain(&error), "an answer was lost");
        }
    }

    fn body<F: serde::Serialize>(
        &self,
        subject: &str,
        schema: String,
        seq: u64,
        prev: Digest,
        fact: F,
    ) -> Vec<u8> {
        wire::encode(&Body {
            v: ENVELOPE_V,
            subject: subject.to_owned(),
            schema,
            author: A::ID,
            task: None,
            seq,
            prev,
            id: EventId::new(self.inner.clock.uuid()),
            cause: None,
            at: self.inner.clock.wall(),
            fact,
        })
    }

    fn sign(&self, body: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let signature = Signature::new(self.inner.key.sign(body).to_bytes());
        headers.insert(HEADER_SIGNATURE, signature.to_string());
        headers
    }

    fn genuine(&self, author: AuthorId, message: &async_nats::Message) -> bool {
        let key = self
            .inner
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&author)
            .copied();
        let signature = header(message.headers.as_ref(), HEADER_SIGNATURE);
        let signature = signature.and_then(|text| text.parse().ok());
        key.zip(signature)
            .is_some_and(|(key, signature)| verify(&key, &message.payload, &signature))
    }
}

/// Fetches a content, message by message; stored bytes that do not match the digest count as erased.
pub(crate) async fn get(
    client: &Client,
    author: AuthorId,
    content: &Content,
) -> Result<Option<Sealed>, Error> {
    let failed = |reason: String| Error::Bus {
        what: "to read content",
        reason,
    };
    let mut stored = Vec::with_capacity(content.len() as usize + 32);
    for n in 0..content.chunks() {
        let subject = format!("{API}.DIRECT.GET.{BLOBS}.{}", content.subject(author, n));
        let reply = client.request(subject, "".into()).await;
        let reply = reply.map_err(|error| failed(chain(&error)))?;
        match reply.status.map(|status| status.as_u16()) {
            None | Some(200) => {}
            Some(404) => return Ok(None),
            Some(status) => return Err(failed(format!("the server answered {status}"))),
        }
        stored.extend_from_slice(&reply.payload);
        if stored.len() > content.len() as usize + 32 {
            return Ok(None);
        }
    }
    let sealed = Sealed::from_stored(stored).ok();
    Ok(sealed.filter(|sealed| sealed.content() == *content))
}

/// A header's text, if the header is there exactly once.
pub(crate) fn header<'a>(headers: Option<&'a HeaderMap>, name: &'static str) -> Option<&'a str> {
    let mut values = headers?.get_all(name);
    let first = values.next()?;
    values.next().is_none().then_some(first.as_str())
}

impl<A: Executor> Bus<A> {
    /// Records the outcome of a claim.
    ///
    /// # Errors
    /// [`Stopped`] if the actor stops first: the outcome is then unknown to every reader.
    pub async fn settle(&self, settled: Settled<A>) -> Result<Meta, Stopped> {
        self.append(settled.finished()).await
    }
}

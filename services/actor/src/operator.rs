//! The bus client of the command line: one identity, requests and answers, no loop.

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
    time::Duration,
};

use bus_schema::{
    AUDIT, Author as _, AuthorId, Body, ChainScope, Content, Draft, EventId, Facts, Head, Junk,
    Link, Live as _, Meta, Owner, PublicKey, Read, Sealed, Seen, SignedEvent, Verifier, account,
    stream, wire,
};
use ed25519_dalek::SigningKey;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    Access, Bus, Clock, Error, Stored,
    bus::{get, header},
    connect::{connect, try_once},
    error::chain,
    publish::{Placed, Published, publish},
};

/// Messages fetched by one request.
const BATCH: u64 = 500;
/// The time that the next message of a batch may take.
const BATCH_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection under one identity.
#[derive(Debug)]
pub struct BusClient {
    client: async_nats::Client,
    /// The prefix of its requests to the JetStream API.
    api: &'static str,
    reconnected: watch::Receiver<u64>,
    clock: Clock,
}

impl BusClient {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Connect`], or the problem with the identity's files.
    pub async fn connect(access: &Access, clock: Clock) -> Result<Self, Error> {
        let (client, reconnected) = connect(access).await?;
        Ok(Self {
            client,
            api: account::api_of(&access.user),
            reconnected,
            clock,
        })
    }

    /// Connects once, without waiting for a server that does not run.
    ///
    /// # Errors
    /// As [`BusClient::connect`].
    pub async fn connect_once(access: &Access, clock: Clock) -> Result<Self, Error> {
        let client = try_once(access).await?;
        let (_, reconnected) = watch::channel(0);
        let api = account::api_of(&access.user);
        Ok(Self {
            client,
            api,
            reconnected,
            clock,
        })
    }

    /// Calls the server's JetStream API; an answer with an `error` is an error.
    ///
    /// # Errors
    /// [`Error::Bus`] with the server's message.
    pub async fn api(&self, subject: &str, question: &Value) -> Result<Value, Error> {
        self.ask_server(&format!("{}.{subject}", self.api), question)
            .await
    }

    /// Sends a request to a subject of the server; an answer with an `error` is an error.
    ///
    /// # Errors
    /// [`Error::Bus`] with the server's message.
    pub async fn ask_server(&self, subject: &str, question: &Value) -> Result<Value, Error> {
        let refused = |reason: String| Error::Bus {
            what: "a request to its API",
            reason,
        };
        let body = question.to_string();
        let reply = self.client.request(subject.to_owned(), body.into()).await;
        let reply = reply.map_err(|error| refused(format!("{subject}: {}", chain(&error))))?;
        let answer: Value = serde_json::from_slice(&reply.payload)
            .map_err(|_| refused(format!("{subject}: the answer is not JSON")))?;
        match answer
            .get("error")
            .and_then(|error| error.get("description"))
        {
            Some(description) => Err(refused(format!("{subject}: {description}"))),
            None => Ok(answer),
        }
    }

    /// Passes every message of `AUDIT` under `filter`, from `from` on, to `each`, in order, until it returns `false` or
    /// has had all messages that were stored when the scan began.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer.
    pub async fn scan(
        &self,
        filter: &str,
        from: u64,
        mut each: impl FnMut(Stored) -> bool + Send,
    ) -> Result<(), Error> {
        let mut next = from.max(1);
        // Counted once: if events were stored faster than it reads, it would never end.
        let mut left: Option<u64> = None;
        loop {
            let inbox = self.client.new_inbox();
            let failed = |reason: String| Error::Bus {
                what: "to read the stream",
                reason,
            };
            let mut answers = self
                .client
                .subscribe(inbox.clone())
                .await
                .map_err(|error| failed(chain(&error)))?;
            let question = json!({"seq": next, "next_by_subj": filter, "batch": BATCH}).to_string();
            let subject = format!("{}.DIRECT.GET.{AUDIT}", self.api);
            let asked = self
                .client
                .publish_with_reply(subject, inbox, question.into())
                .await;
            asked.map_err(|error| failed(chain(&error)))?;
            loop {
                let answer = tokio::time::timeout(BATCH_TIMEOUT, answers.next()).await;
                let answer = answer
                    .ok()
                    .flatten()
                    .ok_or_else(|| failed("no answer".to_owned()))?;
                let pending = header(answer.headers.as_ref(), "Nats-Num-Pending");
                match answer.status.map(|status| status.as_u16()) {
                    None => {}
                    // The end of the batch; more may be pending.
                    Some(204) => {
                        if pending.is_none_or(|pending| pending == "0") {
                            return Ok(());
                        }
                        break;
                    }
                    Some(404) => return Ok(()),
                    Some(status) => return Err(failed(format!("the server answered {status}"))),
                }
                let stored = stored(&answer)
                    .ok_or_else(|| failed("a message without its place".to_owned()))?;
                next = stored.seq + 1;
                left = match left {
                    None => pending.and_then(|pending| pending.parse().ok()),
                    Some(left) => Some(left.saturating_sub(1)),
                };
                if !each(stored) || left == Some(0) {
                    return Ok(());
                }
            }
        }
    }

    /// Returns the bytes that `author` put under `content`; none if they were erased.
    ///
    /// # Errors
    /// [`Error::Bus`] if the server does not answer.
    pub async fn get(&self, author: AuthorId, content: &Content) -> Result<Option<Vec<u8>>, Error> {
        let found = self.get_sealed(author, content).await?;
        Ok(found.map(|sealed| sealed.bytes().to_vec()))
    }

    /// Returns the same with its salt.
    ///
    /// # Errors
    /// As [`BusClient::get`].
    pub async fn get_sealed(
        &self,
        author: AuthorId,
        content: &Content,
    ) -> Result<Option<Sealed>, Error> {
        get(&self.client, author, content).await
    }

    /// Publishes an event that was signed before, as the first in its subtree.
    ///
    /// # Errors
    /// [`Error::Bus`] if it is not stored; `Ok(false)` if the subtree is not empty.
    pub async fn publish_first(&self, event: &SignedEvent) -> Result<bool, Error> {
        let jetstream = async_nats::jetstream::new(self.client.clone());
        let events = std::slice::from_ref(event);
        match publish(
            &jetstream,
            &Placed::all(events, &stream::subtree(Owner::ID, None), 0),
        )
        .await
        {
            Published::At(_) => Ok(true),
            Published::Conflict(_) => Ok(false),
            Published::Unknown(reason) | Published::Refused(reason) => Err(Error::Bus {
                what: "to store the roster",
                reason,
            }),
        }
    }

    /// Waits for a head of the log that covers `seq`, signed by `audit`.
    ///
    /// # Errors
    /// [`Error::Bus`] if none comes within `within`.
    pub async fn head(&self, audit: &PublicKey, seq: u64, within: Duration) -> Result<Head, Error> {
        let failed = |reason: String| Error::Bus {
            what: "to wait for the log",
            reason,
        };
        let mut heads = self
            .client
            .subscribe(Head::subject())
            .await
            .map_err(|error| failed(chain(&error)))?;
        let waiting = async {
            while let Some(message) = heads.next().await {
                let signature = header(message.headers.as_ref(), bus_schema::HEADER_SIGNATURE);
                let signature = signature.and_then(|text| text.parse().ok());
                let genuine = signature.is_some_and(|signature| {
                    bus_schema::verify(audit, &message.payload, &signature)
                });
                let Ok(said) = wire::decode::<Body<Head>>(&message.payload) else {
                    continue;
                };
                if genuine && said.subject == Head::subject() && said.fact.size > seq {
                    return Some(said.fact);
                }
            }
            None
        };
        let head = tokio::time::timeout(within, waiting).await.ok().flatten();
        head.ok_or_else(|| {
            failed(format!(
                "audit did not cover event {seq} within {within:?}; is it healthy?"
            ))
        })
    }

    /// Reads the owner's chain, to publish as the owner.
    ///
    /// # Errors
    /// As [`BusClient::scan`].
    pub async fn owner(&self, key: SigningKey) -> Result<OwnerWriter, Error> {
        let owner = bus_schema::public_key(&key);
        let mut pen = OwnerWriter {
            verifier: Verifier::new(owner, ChainScope::Own(AuthorId::Owner)),
            bus: self.bus(key, BTreeMap::new()),
            client: self.client.clone(),
        };
        pen.catch_up(self).await?;
        Ok(pen)
    }

    /// Returns the facts that `owner` signed, in stream order, verified as every reader does.
    ///
    /// # Errors
    /// As [`BusClient::scan`].
    pub async fn owner_facts<F: Facts>(&self, owner: PublicKey) -> Result<Vec<(Meta, F)>, Error> {
        let mut verifier = Verifier::new(owner, ChainScope::Own(AuthorId::Owner));
        let (mut facts, mut failed) = (Vec::new(), None);
        let scan = self.scan("event.owner.>", 1, |stored| {
            match verifier.read::<F>(&stored.raw()) {
                Ok(Read::Fact(seen)) => facts.push(seen.into_parts()),
                Ok(Read::Other(_) | Read::Junk(_)) => {}
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        });
        scan.await?;
        failed.map_or(Ok(facts), |error| Err(error.into()))
    }

    /// Verifies the stream from its start, since a message is verified against all messages before it, and hands each fact to
    /// `take`, oldest first, until that returns false.
    ///
    /// # Errors
    /// As [`BusClient::scan`].
    pub async fn each_fact<F: Facts>(
        &self,
        owner: PublicKey,
        mut take: impl FnMut(F) -> bool + Send,
    ) -> Result<(), Error> {
        let (mut reading, mut failed) = (StreamReader::new(owner), None);
        let scan = self.scan(">", 1, |stored| match reading.read::<F>(&stored) {
            Ok(Ok((_, Some(fact)))) => take(fact),
            Ok(Ok((_, None)) | Err(_)) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        scan.await?;
        failed.map_or(Ok(()), Err)
    }

    /// The owner's bus for contents and calls; `keys` are the keys of the callees.
    #[must_use]
    pub fn bus(&self, key: SigningKey, keys: BTreeMap<AuthorId, PublicKey>) -> Bus<Owner> {
        let keys = Arc::new(RwLock::new(keys));
        let (bus, outside) = Bus::new(
            self.client.clone(),
            self.reconnected.clone(),
            key,
            keys,
            self.clock.clone(),
        );
        // There is no loop here that would append drafts from beside it.
        drop(outside);
        bus
    }

    /// Sends all buffered messages.
    pub async fn flush(&self) {
        drop(tokio::time::timeout(Duration::from_secs(1), self.client.flush()).await);
    }
}

/// The owner's own chain, read up to its end and ready to be continued.
#[derive(Debug)]
pub struct OwnerWriter {
    verifier: Verifier,
    bus: Bus<Owner>,
    client: async_nats::Client,
}

/// Folds no facts; only the chain matters.
struct Nothing;

impl Facts for Nothing {
    const READS: &'static [(&'static [AuthorId], &'static str)] = &[];
    fn parse(_: bus_schema::Subject<'_>, _: &str, _: &[u8]) -> Result<Self, Junk> {
        Err(Junk::Kind)
    }
}

impl OwnerWriter {
    async fn catch_up(&mut self, operator: &BusClient) -> Result<(), Error> {
        let mut verifier = self.verifier.clone();
        let mut failed = None;
        let from = verifier.subtree(AuthorId::Owner, None) + 1;
        operator
            .scan("event.owner.>", from, |stored| {
                failed = verifier.read::<Nothing>(&stored.raw()).err();
                failed.is_none()
            })
            .await?;
        self.verifier = verifier;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The deployment that the stream belongs to.
    #[must_use]
    pub const fn deployment(&self) -> Option<bus_schema::DeploymentId> {
        self.verifier.deployment()
    }

    /// The key that an author signs with now.
    #[must_use]
    pub fn key(&self, author: AuthorId) -> Option<PublicKey> {
        self.verifier.key(author)
    }

    /// Publishes an event as the owner, and returns its place in the stream.
    ///
    /// # Errors
    /// [`Error::Bus`] if it is not stored.
    pub async fn say(&mut self, operator: &BusClient, draft: Draft<Owner>) -> Result<u64, Error> {
        for content in draft.contents() {
            self.bus.put(content).await?;
        }
        let jetstream = async_nats::jetstream::new(self.client.clone());
        for _ in 0..10 {
            let tip = self.verifier.tip(AuthorId::Owner, None);
            let clock = self.bus.clock();
            let id = EventId::new(clock.uuid());
            let link = Link {
                seq: tip.seq + 1,
                prev: tip.digest,
                id,
                at: clock.wall(),
            };
            let event = draft.sign(link, self.bus.key());
            let expected = self.verifier.subtree(AuthorId::Owner, None);
            let subtree = stream::subtree(Owner::ID, None);
            let events = std::slice::from_ref(&event);
            match publish(&jetstream, &Placed::all(events, &subtree, expected)).await {
                Published::At(seq) => {
                    self.catch_up(operator).await?;
                    return Ok(seq);
                }
                // Another command was first; after a timeout, the tail shows if it was this event.
                Published::Conflict(_) | Published::Unknown(_) => {
                    self.catch_up(operator).await?;
                    let tip = self.verifier.tip(AuthorId::Owner, None);
                    if tip.digest == event.digest() {
                        return Ok(self.verifier.subtree(AuthorId::Owner, None));
                    }
                }
                Published::Refused(reason) => {
                    return Err(Error::Bus {
                        what: "to store the owner's event",
                        reason,
                    });
                }
            }
        }
        Err(Error::Bus {
            what: "to store the owner's event",
            reason: "other commands always append first; try again".to_owned(),
        })
    }
}

/// Reads a whole stream as audit does: every chain must be contiguous.
#[derive(Debug)]
pub struct StreamReader {
    verifier: Verifier,
}

impl StreamReader {
    /// Makes a reader at the start of a stream, which trusts `owner`.
    #[must_use]
    pub fn new(owner: PublicKey) -> Self {
        Self {
            verifier: Verifier::new(owner, ChainScope::Everything),
        }
    }
    /// Reads the next message: its author, or the reason why it is junk.
    ///
    /// # Errors
    /// [`Error::TooOld`]
    pub fn read<F: Facts>(
        &mut self,
        stored: &Stored,
    ) -> Result<Result<(Meta, Option<F>), Junk>, Error> {
        Ok(match self.verifier.read::<F>(&stored.raw())? {
            Read::Fact(seen) => {
                let (meta, fact) = Seen::into_parts(seen);
                Ok((meta, Some(fact)))
            }
            Read::Other(meta) => Ok((meta, None)),
            Read::Junk(junk) => Err(junk),
        })
    }
    /// The verifier.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

fn stored(message: &async_nats::Message) -> Option<Stored> {
    let headers = message.headers.as_ref();
    let owned = |name| header(headers, name).map(str::to_owned);
    Some(Stored {
        seq: header(headers, "Nats-Sequence")?.parse().ok()?,
        subject: header(headers, "Nats-Subject")?.to_owned(),
        signature: owned(bus_schema::HEADER_SIGNATURE),
        schema: owned(bus_schema::HEADER_SCHEMA),
        body: message.payload.to_vec(),
        stored: header(headers, "Nats-Time-Stamp")?.parse().ok()?,
    })
}

//! A plain client under any identity: does what the server lets it do, and hears what the server refuses.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actor::nkey::UserKey;
use async_nats::{ConnectOptions, Event, HeaderMap, ServerError};
use bus_schema::{AUDIT, HEADER_SCHEMA, HEADER_SIGNATURE, SignedEvent, account};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::{Deployment, SOON};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What the server answers to a publish into a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ack {
    /// The stream.
    #[serde(default)]
    pub stream: String,
    /// Where it is stored; 0 if it is not.
    #[serde(default)]
    pub seq: u64,
    /// Whether it is taken for one that was stored before.
    #[serde(default)]
    pub duplicate: bool,
    /// Why it is not stored.
    pub error: Option<Refusal>,
}

/// An error of the server's API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// Its number; 10071 is the wrong last sequence.
    #[serde(rename = "err_code")]
    pub code: u32,
    /// Its text.
    pub description: String,
}

impl Ack {
    /// The place in the stream.
    ///
    /// # Errors
    /// The server's number for why it is not stored.
    pub fn stored(&self) -> Result<u64, u32> {
        match &self.error {
            None => Ok(self.seq),
            Some(refusal) => Err(refusal.code),
        }
    }
}

#[derive(Debug, Default)]
struct LogHead {
    refused: Mutex<Vec<String>>,
    more: Notify,
}

/// One connection of async-nats, with its errors collected.
#[derive(Debug, Clone)]
pub struct Client {
    /// The connection.
    pub nats: async_nats::Client,
    /// Where its identity asks the JetStream API.
    pub api: &'static str,
    heard: Arc<LogHead>,
}

impl Deployment {
    /// A connection under the identity of `user`: its certificate and its NKey.
    ///
    /// # Panics
    /// If the server does not let it in.
    pub async fn client(&self, user: &str) -> Client {
        let options = self.options(user, user);
        let client = Client::connect(options, &self.url()).await;
        let client = client.unwrap_or_else(|error| panic!("{user}: {error}"));
        Client {
            api: account::api_of(user),
            ..client
        }
    }

    /// How to connect with the NKey of one user and the certificate of another.
    ///
    /// # Panics
    /// If the files cannot be read.
    #[must_use]
    pub fn options(&self, user: &str, certificate_of: &str) -> ConnectOptions {
        let nkey = UserKey::load(&self.dir().of(user).join("user.nk")).unwrap();
        let folder = self.dir().of(certificate_of);
        ConnectOptions::with_nkey(nkey.seed().to_owned())
            .add_root_certificates(self.dir().ca())
            .add_client_certificate(folder.join("cert.pem"), folder.join("key.pem"))
            .require_tls(true)
            .custom_inbox_prefix(format!("_INBOX.{user}"))
            .request_timeout(Some(ANSWER))
    }
}

impl Client {
    /// Connects once.
    ///
    /// # Errors
    /// Why the server does not let it in.
    pub async fn connect(options: ConnectOptions, url: &str) -> Result<Self, String> {
        let heard = Arc::new(LogHead::default());
        let hears = Arc::clone(&heard);
        let options = options.event_callback(move |event| {
            if let Event::ServerError(error) = event {
                let text = match error {
                    ServerError::Other(text) => text,
                    ServerError::AuthorizationViolation | ServerError::SlowConsumer(_) => {
                        error.to_string()
                    }
                };
                let mut refused = hears.refused.lock().unwrap_or_else(PoisonError::into_inner);
                refused.push(text);
                hears.more.notify_waiters();
            }
            std::future::ready(())
        });
        let connecting = tokio::time::timeout(ANSWER, options.connect(url)).await;
        let connected = connecting.map_err(|_| "no answer".to_owned())?;
        let nats = connected.map_err(|error| actor::chain(&error))?;
        let api = account::API;
        Ok(Self { nats, api, heard })
    }

    /// Publishes and waits for the server's acknowledgement.
    ///
    /// # Errors
    /// If none comes: nobody stores it, or it is not allowed.
    pub async fn store(
        &self,
        subject: &str,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<Ack, String> {
        let answer = self
            .nats
            .request_with_headers(subject.to_owned(), headers, body.to_vec().into())
            .await
            .map_err(|error| actor::chain(&error))?;
        serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())
    }

    /// Publishes a signed event; `expected` is the compare-and-set that every service sets: the subtree and
    /// its last message.
    ///
    /// # Errors
    /// As [`Client::store`].
    pub async fn publish(
        &self,
        event: &SignedEvent,
        expected: Option<(&str, u64)>,
    ) -> Result<Ack, String> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_SIGNATURE, event.signature.to_string());
        headers.insert(HEADER_SCHEMA, event.schema.as_str());
        if let Some((subtree, last)) = expected {
            headers.insert("Nats-Expected-Stream", AUDIT);
            headers.insert("Nats-Expected-Last-Subject-Sequence", last.to_string());
            headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", subtree);
        }
        self.store(&event.subject, headers, &event.body).await
    }

    /// Asks the server's API; the answer as JSON.
    ///
    /// # Errors
    /// If none comes.
    pub async fn api(
        &self,
        subject: &str,
        question: &serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        let answer = self
            .nats
            .request(
                format!("{}.{subject}", self.api),
                question.to_string().into(),
            )
            .await
            .map_err(|error| actor::chain(&error))?;
        serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())
    }

    /// The message at `seq` of `AUDIT`, with all its headers.
    ///
    /// # Panics
    /// If the server does not hand it out.
    pub async fn message(&self, seq: u64) -> async_nats::Message {
        let subject = format!("{}.DIRECT.GET.{AUDIT}", self.api);
        let question = format!("{{\"seq\":{seq}}}");
        self.nats.request(subject, question.into()).await.unwrap()
    }

    /// Publishes with a reply subject of one's own choice, which the server does not check.
    ///
    /// # Panics
    /// If the connection is gone.
    pub async fn reflect(&self, subject: &str, reply: &str, body: &[u8]) {
        let published = self.nats.publish_with_reply(
            subject.to_owned(),
            reply.to_owned(),
            body.to_vec().into(),
        );
        published.await.unwrap();
        self.nats.flush().await.unwrap();
    }

    /// What the server has refused since the last time it was asked, complete: everything that was sent
    /// before has been judged, and every subscription stands. (`flush` of async-nats waits for no answer.)
    ///
    /// # Panics
    /// If the server does not judge any more.
    pub async fn refused(&self) -> Vec<String> {
        // The server judges in order, and nobody may ever publish this.
        let last = format!("refused.{}", self.nats.new_inbox());
        self.nats.publish(last.clone(), "".into()).await.unwrap();
        let all = async {
            loop {
                let more = self.heard.more.notified();
                {
                    let mut heard = self
                        .heard
                        .refused
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    if heard.last().is_some_and(|text| text.contains(&last)) {
                        let mut all = std::mem::take(&mut *heard);
                        all.pop();
                        return all;
                    }
                }
                more.await;
            }
        };
        tokio::time::timeout(SOON, all).await.unwrap()
    }
}

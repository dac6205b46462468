//! A plain client under any identity; it also collects the errors of the server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actor::nkey::UserKey;
use async_nats::{ConnectOptions, Event, HeaderMap, ServerError};
use bus_schema::{AUDIT, HEADER_SCHEMA, HEADER_SIGNATURE, SignedEvent, account};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::{Deployment, SOON};

/// The timeout of an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The server's answer to a publish into a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ack {
    /// The stream.
    #[serde(default)]
    pub stream: String,
    /// The sequence number; 0 if it is not stored.
    #[serde(default)]
    pub seq: u64,
    /// True if the server took it for a duplicate.
    #[serde(default)]
    pub duplicate: bool,
    /// The error, if it is not stored.
    pub error: Option<Refusal>,
}

/// An error of the server's API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// Its number; 10071 means a wrong last sequence.
    #[serde(rename = "err_code")]
    pub code: u32,
    /// Its text.
    pub description: String,
}

impl Ack {
    /// The sequence number in the stream.
    ///
    /// # Errors
    /// Returns the server's error number if it is not stored.
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
    /// The subject prefix under which its identity calls the JetStream API.
    pub api: &'static str,
    heard: Arc<LogHead>,
}

impl Deployment {
    /// Connects under the identity of `user`: its certificate and its NKey.
    ///
    /// # Panics
    /// Panics if the server refuses the connection.
    pub async fn client(&self, user: &str) -> Client {
        let options = self.options(user, user);
        let client = Client::connect(options, &self.url()).await;
        let client = client.unwrap_or_else(|error| panic!("{user}: {error}"));
        Client {
            api: account::api_of(user),
            ..client
        }
    }

    /// Options to connect with the NKey of one user and the certificate of another.
    ///
    /// # Panics
    /// Panics if the files cannot be read.
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
    /// Returns the reason for which the server refuses the connection.
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
    /// Returns an error after the timeout: no stream stores it, or it is not allowed.
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

    /// Calls the server's API; returns the answer as JSON.
    ///
    /// # Errors
    /// Returns an error after the timeout.
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
    /// Panics if the server does not return it.
    pub async fn message(&self, seq: u64) -> async_nats::Message {
        let subject = format!("{}.DIRECT.GET.{AUDIT}", self.api);
        let question = format!("{{\"seq\":{seq}}}");
        self.nats.request(subject, question.into()).await.unwrap()
    }

    /// Publishes with any reply subject; the server does not check it.
    ///
    /// # Panics
    /// Panics if the connection is closed.
    pub async fn reflect(&self, subject: &str, reply: &str, body: &[u8]) {
        let published = self.nats.publish_with_reply(
            subject.to_owned(),
            reply.to_owned(),
            body.to_vec().into(),
        );
        published.await.unwrap();
        self.nats.flush().await.unwrap();
    }

    /// Returns all errors of the server since the last call, after the server has processed everything that was sent
    /// before. (`flush` of async-nats waits for no answer.)
    ///
    /// # Panics
    /// Panics if the server does not answer.
    pub async fn refused(&self) -> Vec<String> {
        // The server processes in order, and nobody may publish to this subject.
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

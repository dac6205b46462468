//! The bus without the system: one connection under an actor's identity, without signatures and checks.

use std::time::Duration;

use actor::nkey::UserKey;
use async_nats::{
    Client, ConnectOptions, HeaderMap,
    jetstream::{
        self,
        consumer::{PullConsumer, pull},
        message::PublishMessage,
    },
};
use bus_schema::{AUDIT, AuthorId, account::API};

use crate::{deployment::Deployment, runtime::Error};

/// A raw connection.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
}

/// The compare-and-set of an event.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) subtree: String,
    pub(crate) last: u64,
}

impl Wire {
    /// Connects as an actor does: mutual TLS and NKey.
    pub(crate) async fn connect(of: &Deployment, author: AuthorId) -> Result<Self, Error> {
        Self::of(of, author.name()).await
    }

    /// Connects as any identity.
    pub(crate) async fn of(of: &Deployment, name: &str) -> Result<Self, Error> {
        let access = of.dir.access(name, &of.file.url());
        let seed = UserKey::load(&access.nkey)?;
        let options = ConnectOptions::with_nkey(seed.seed().to_owned())
            .add_root_certificates(access.ca)
            .add_client_certificate(access.certificate, access.key)
            .require_tls(true)
            .custom_inbox_prefix(format!("_INBOX.{}", access.user));
        let client = options.connect(&access.url).await?;
        let mut jetstream = jetstream::with_prefix(client.clone(), API);
        jetstream.set_timeout(Duration::from_secs(10));
        Ok(Self { client, jetstream })
    }

    /// Publishes an event with headers as long as a real one's; returns its sequence number when it is durable.
    pub(crate) async fn event(
        &self,
        subject: String,
        body: Vec<u8>,
        expected: Option<&Expected>,
    ) -> Result<u64, Error> {
        let mut message = PublishMessage::build()
            .payload(body.into())
            .header(bus_schema::HEADER_SIGNATURE, "0".repeat(128))
            .header(bus_schema::HEADER_SCHEMA, "action.proposed.v1")
            .header("traceparent", "0".repeat(55))
            .header("Nats-Expected-Stream", AUDIT);
        if let Some(expected) = expected {
            message = message
                .header(
                    "Nats-Expected-Last-Subject-Sequence",
                    expected.last.to_string(),
                )
                .header(
                    "Nats-Expected-Last-Subject-Sequence-Subject",
                    expected.subtree.as_str(),
                );
        }
        let ack = self.jetstream.send_publish(subject, message).await?.await?;
        Ok(ack.sequence)
    }

    /// Publishes a content; returns when it is durable.
    pub(crate) async fn content(&self, subject: String, body: Vec<u8>) -> Result<(), Error> {
        let message = PublishMessage::build().payload(body.into());
        self.jetstream.send_publish(subject, message).await?.await?;
        Ok(())
    }

    /// Publishes without waiting; the caller awaits the answer.
    pub(crate) async fn begin(
        &self,
        subject: String,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<jetstream::context::PublishAckFuture, Error> {
        let published = self
            .jetstream
            .publish_with_headers(subject, headers, body.into());
        Ok(published.await?)
    }

    /// Reads a content.
    pub(crate) async fn fetch(&self, subject: &str) -> Result<usize, Error> {
        let subject = format!("{API}.DIRECT.GET.BLOBS.{subject}");
        Ok(self.client.request(subject, "".into()).await?.payload.len())
    }

    /// Pulls through the actor's own durable consumer, from `from` on.
    pub(crate) async fn pull(&self, author: AuthorId, from: u64) -> Result<pull::Stream, Error> {
        let found = self
            .jetstream
            .get_consumer_from_stream(author.name(), AUDIT)
            .await;
        let mut consumer: PullConsumer = found?;
        consumer.reset(Some(from)).await?;
        let stream = consumer
            .stream()
            .max_messages_per_batch(256)
            .expires(Duration::from_secs(30))
            .heartbeat(Duration::from_secs(2));
        Ok(stream.messages().await?)
    }
}

/// Bytes that do not compress, like signatures and digests.
#[derive(Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    /// Starts the same sequence of bytes each time.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next `len` bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.extend_from_slice(&self.0.to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

//! The record: every stored message with its verdict, read and verified as audit does.

use actor::{Stored, StreamReader};
use bus_schema::{
    ActionId, AuditFact, AuthorId, Junk, Meta, Spec, Subject, TaskId, Verifier, stream,
};
use serde_json::Value;

use crate::Deployment;

/// One stored message.
#[derive(Debug, Clone)]
pub struct Message {
    /// The message as the stream holds it.
    pub stored: Stored,
    /// The author, or the reason for which it is junk.
    pub verdict: Result<Meta, Junk>,
    /// The kind `<noun>.<past-verb>`, by its subject.
    pub kind: String,
    /// The fact as JSON; null for junk.
    pub fact: Value,
}

/// All stored messages.
#[derive(Debug)]
pub struct Record {
    /// The messages, in order.
    pub messages: Vec<Message>,
    verifier: Verifier,
}

impl Deployment {
    /// Reads the whole record.
    ///
    /// # Panics
    /// Panics if it cannot be read, or holds an event that this version does not know.
    pub async fn record(&self) -> Record {
        self.try_record()
            .await
            .unwrap_or_else(|error| panic!("{}", actor::chain(&error)))
    }

    /// Reads the whole record.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or holds an event that this version does not know.
    pub async fn try_record(&self) -> Result<Record, actor::Error> {
        let operator = self.operator("owner").await;
        let mut reading = StreamReader::new(self.owner());
        let mut messages = Vec::new();
        let mut failed = None;
        operator
            .scan(">", 1, |stored| {
                match reading.read::<AuditFact>(&stored) {
                    Ok(verdict) => messages.push(message(stored, verdict.map(|(meta, _)| meta))),
                    Err(error) => failed = Some(error),
                }
                failed.is_none()
            })
            .await?;
        match failed {
            Some(error) => Err(error),
            None => Ok(Record {
                messages,
                verifier: reading.verifier().clone(),
            }),
        }
    }
}

fn message(stored: Stored, verdict: Result<Meta, Junk>) -> Message {
    let subject = Subject::parse(&stored.subject);
    let kind = subject.map_or("", |subject| subject.kind).to_owned();
    let body = subject
        .zip(Spec::of(&kind))
        .filter(|_| verdict.is_ok())
        .and_then(|(subject, spec)| {
            let schema = stored.schema.as_deref().unwrap_or_default();
            spec.json(subject, schema, &stored.body).ok()
        });
    let fact = body.map_or(Value::Null, |body| body["fact"].clone());
    Message {
        stored,
        verdict,
        kind,
        fact,
    }
}

impl Message {
    /// The author, if it is valid.
    #[must_use]
    pub fn by(&self) -> Option<AuthorId> {
        self.verdict.ok().map(|meta| meta.by)
    }
    /// The task, if it is valid and about one.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        self.verdict.ok().and_then(|meta| meta.task)
    }
    /// The action that it is about.
    #[must_use]
    pub fn action(&self) -> Option<ActionId> {
        let action = match self.kind.as_str() {
            "action.granted" => &self.fact["grant"]["draft"]["action"],
            "approval.requested" => &self.fact["draft"]["action"],
            _ => &self.fact["action"],
        };
        action.as_str()?.parse().ok()
    }
}

impl Record {
    /// The valid events of a kind.
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Message> {
        let genuine = self.messages.iter().filter(|one| one.verdict.is_ok());
        genuine.filter(move |one| one.kind == kind)
    }
    /// The number of valid events of a kind.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.of(kind).count()
    }
    /// The junk messages, with the reasons.
    pub fn junk(&self) -> impl Iterator<Item = (&Message, Junk)> {
        let all = self.messages.iter();
        all.filter_map(|one| Some((one, one.verdict.err()?)))
    }
    /// The sequence number of the last message.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.messages.last().map_or(0, |one| one.stored.seq)
    }
    /// The reader after the last message, with keys and chains.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }
    /// The subtree of an author's next event about `task`, and the last message in it, as an append expects
    /// them.
    #[must_use]
    pub fn subtree(&self, author: AuthorId, task: Option<TaskId>) -> (String, u64) {
        let filter = stream::subtree(author, task);
        let prefix = filter.trim_end_matches("*.*");
        let mut last = self.messages.iter().rev();
        let last = last.find(|one| one.stored.subject.starts_with(prefix));
        let seq = last.map_or(0, |one| one.stored.seq);
        (filter, seq)
    }
}

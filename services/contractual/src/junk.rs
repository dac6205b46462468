//! Junk of the record, one by one, and who had the server put it there, as far as its own bytes say.

use std::fmt;

use audit::Entry;
use bus_schema::{AUDIT, AuthorId, Junk, Subject};
use serde::Serialize;
use serde_json::Value;

/// Most pieces of junk that are told one by one; the rest is only counted.
const TOLD_MAX: usize = 100;

/// A stored message that is no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its place in the stream.
    pub seq: u64,
    /// Where it was stored.
    pub subject: String,
    /// Who alone may publish there; anybody may have the server answer there.
    pub under: Option<AuthorId>,
    /// Why everybody skips it.
    pub why: String,
    /// Whose identity asked the server for it, if its bytes say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub culprit: Option<String>,
    /// What it is, if it is the server's own answer, sent to a subject of somebody else's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "junk {} {}: {}", self.seq, self.subject, self.why)?;
        if let Some(answer) = &self.answer {
            write!(f, "; {answer}")?;
        }
        if let Some(culprit) = &self.culprit {
            write!(f, "; asked for with the identity of {culprit}")?;
            if let Some(under) = self.under {
                write!(f, ", unless {under} itself wrote it")?;
            }
        }
        Ok(())
    }
}

/// Collects junk while a record is read in order.
#[derive(Debug, Default)]
pub struct Collector {
    /// Under whose subjects each message stands: what the server lets nobody else publish to.
    authors: Vec<Option<AuthorId>>,
    found: Vec<Found>,
}

impl Collector {
    /// Takes in the next message.
    pub fn message(&mut self, entry: &Entry, junk: Option<Junk>) {
        let place = usize::try_from(entry.seq).unwrap_or(usize::MAX);
        let under = Subject::parse(&entry.subject).map(|subject| subject.by);
        if place == self.authors.len() + 1 {
            self.authors.push(under);
        }
        let Some(junk) = junk.filter(|_| self.found.len() < TOLD_MAX) else {
            return;
        };
        let (answer, culprit) = self.answer(&entry.body).unzip();
        self.found.push(Found {
            seq: entry.seq,
            subject: entry.subject.escape_debug().to_string(),
            under,
            why: junk.to_string(),
            culprit: culprit.flatten(),
            answer,
        });
    }

    /// What was found.
    #[must_use]
    pub fn end(self) -> Vec<Found> {
        self.found
    }

    /// What answer of the server a body is, and who asked: whoever stored the message that is acknowledged, or
    /// whose consumer it speaks of.
    fn answer(&self, body: &[u8]) -> Option<(String, Option<String>)> {
        let said: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        if let (Some(stream), Some(seq)) = (text("stream"), said.get("seq").and_then(Value::as_u64))
        {
            let stream = stream.escape_debug();
            let answer = format!("the server's acknowledgement of message {seq} of {stream}");
            let before = usize::try_from(seq).ok().and_then(|seq| seq.checked_sub(1));
            let by = before.and_then(|at| *self.authors.get(at)?);
            let by = by.filter(|_| text("stream") == Some(AUDIT));
            return Some((answer, by.map(|by| by.to_string())));
        }
        let kind = text("type")?.strip_prefix("io.nats.jetstream.api.")?;
        let answer = format!("the server's answer {}", kind.escape_debug());
        // A service may ask about its own consumer alone, which has its name.
        let about = text("stream_name") == Some(AUDIT);
        let by = text("name").filter(|_| about);
        Some((answer, by.map(|by| by.escape_debug().to_string())))
    }
}

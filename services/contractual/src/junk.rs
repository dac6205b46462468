//! Junk of the record: each message, and the identity that stored it.

use std::fmt;

use audit::{Entry, check};
use bus_schema::{AuthorId, Junk};
use serde::Serialize;

/// Most junk messages that are listed; the others are counted only.
pub const TOLD_MAX: usize = 100;

/// A stored message that is not a valid event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JunkMessage {
    /// Its place in the stream.
    pub seq: u64,
    /// Its subject.
    pub subject: String,
    /// The identity that stored it: the only one that the server lets publish there.
    pub by: Option<AuthorId>,
    /// The reason for which readers skip it.
    pub why: String,
}

impl JunkMessage {
    /// Describes an entry of the log that is not a valid event.
    #[must_use]
    pub fn of(entry: &Entry, why: Junk) -> Self {
        Self {
            seq: entry.seq,
            subject: entry.subject.escape_debug().to_string(),
            by: check::under(&entry.subject),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for JunkMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "junk {} {}: {}", self.seq, self.subject, self.why)?;
        let Some(by) = self.by else { return Ok(()) };
        write!(f, "; stored with the identity of {by}")
    }
}

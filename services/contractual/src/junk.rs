//! Junk of the record, one by one, and whose identity stored it.

use std::fmt;

use audit::{Entry, check};
use bus_schema::{AuthorId, Junk};
use serde::Serialize;

/// Most pieces of junk that are told one by one; the rest is only counted.
pub const TOLD_MAX: usize = 100;

/// A stored message that is no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its place in the stream.
    pub seq: u64,
    /// Where it was stored.
    pub subject: String,
    /// Whose identity stored it there: the server lets no other actor.
    pub by: Option<AuthorId>,
    /// Why everybody skips it.
    pub why: String,
}

impl Found {
    /// What is told of an entry that is no event.
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

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "junk {} {}: {}", self.seq, self.subject, self.why)?;
        let Some(by) = self.by else { return Ok(()) };
        write!(f, "; stored with the identity of {by}")
    }
}

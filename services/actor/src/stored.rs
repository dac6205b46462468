//! A message as the stream has it.

use bus_schema::{Raw, Time};

/// A stored message, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place.
    pub seq: u64,
    /// Its subject.
    pub subject: String,
    /// The signature header.
    pub signature: Option<String>,
    /// The schema header.
    pub schema: Option<String>,
    /// The payload.
    pub body: Vec<u8>,
    /// Bus time.
    pub stored: Time,
}

impl Stored {
    /// The same, borrowed.
    #[must_use]
    pub fn raw(&self) -> Raw<'_> {
        Raw {
            subject: &self.subject,
            signature: self.signature.as_deref(),
            body: &self.body,
            seq: self.seq,
            stored: self.stored,
        }
    }
}

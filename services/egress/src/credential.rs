//! The secret of one call: put into its requests, and taken out of what comes back.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bus_schema::{SecretName, Time};
use contract::{Endpoint, HttpRequest};
use secret::{Injected, Place, Scrubber, SecretTerms, SecretValue, Unfit};

use crate::outgoing::outgoing;

/// The secret of one call; its value is erased from memory with it.
pub struct Credential {
    name: SecretName,
    terms: SecretTerms,
    value: SecretValue,
    /// The time of signatures.
    at: Time,
    scrubber: Mutex<Scrubber>,
}

impl Credential {
    /// Makes one of an open secret; `at` is the time of its signatures.
    ///
    /// # Errors
    /// [`Unfit`] if the value cannot stand where the terms say.
    pub fn new(terms: SecretTerms, value: SecretValue, at: Time) -> Result<Self, Unfit> {
        terms.inject().fits(&value)?;
        let name = terms.name().clone();
        let scrubber = Mutex::new(Scrubber::new(&name, &terms.inject().texts(&value)));
        Ok(Self {
            name,
            terms,
            value,
            at,
            scrubber,
        })
    }

    /// Returns what it adds to a request to this host; nothing if the terms do not permit it there.
    ///
    /// # Errors
    /// [`Unfit`]
    pub(crate) fn added(
        &self,
        host: &Endpoint,
        request: &HttpRequest,
    ) -> Result<Vec<Injected>, Unfit> {
        if !self.terms.permit(host, request.method) {
            return Ok(Vec::new());
        }
        let host = host.to_string();
        let outgoing = outgoing(&host, request, self.at);
        self.terms.inject().apply(&self.value, &outgoing)
    }

    /// Returns the name of the first place of the secret that a request of the tool has taken.
    pub(crate) fn taken(&self, host: &Endpoint, request: &HttpRequest) -> Option<String> {
        if !self.terms.permit(host, request.method) {
            return None;
        }
        let is_taken = |place: &Place| match place {
            Place::Header(name) => request.headers.iter().any(|(other, _)| other == name),
            Place::Query(name) => {
                let query = request.url.query().unwrap_or_default();
                let mut names = query.split('&').map(|pair| pair.split('=').next());
                names.any(|other| other == Some(name.as_str()))
            }
        };
        let taken = self.terms.inject().places().into_iter().find(is_taken)?;
        let (Place::Header(name) | Place::Query(name)) = taken;
        Some(name)
    }

    fn scrubber(&self) -> MutexGuard<'_, Scrubber> {
        self.scrubber.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a marker in the place of each value in bytes that came back.
    pub(crate) fn scrub(&self, bytes: &[u8]) -> Vec<u8> {
        self.scrubber().whole(bytes)
    }

    /// Takes the next bytes of an answer, and returns those that are certain, scrubbed.
    pub(crate) fn push(&self, bytes: &[u8]) -> Vec<u8> {
        self.scrubber().push(bytes)
    }

    /// Ends an answer: returns the bytes that waited, scrubbed.
    pub(crate) fn end(&self) -> Vec<u8> {
        self.scrubber().end()
    }

    /// Puts a marker in the place of each value in a text about the call.
    #[must_use]
    pub fn scrub_text(&self, text: &str) -> String {
        self.scrubber().text(text)
    }

    /// The number of values that came back.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.scrubber().hits()
    }
}

impl fmt::Debug for Credential {
    /// Shows the name, never the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret {}", self.name)
    }
}

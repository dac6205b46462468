//! The secret of one call: put into its requests, and taken out of what comes back.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bus_schema::SecretName;
use contract::{Endpoint, Method};
use secret::{Injected, Place, Scrubber, SecretTerms, SecretValue, Unfit};

/// A secret as it stands in the requests of one call.
pub struct Credential {
    name: SecretName,
    terms: SecretTerms,
    injected: Injected,
    scrubber: Mutex<Scrubber>,
}

impl Credential {
    /// Makes one of an open secret; the value is erased from memory with it.
    ///
    /// # Errors
    /// [`Unfit`] if the value cannot stand where the terms say.
    pub fn new(terms: SecretTerms, value: &SecretValue) -> Result<Self, Unfit> {
        let injected = terms.inject().apply(value)?;
        let name = terms.name().clone();
        // Of a user with a password, the password alone is a value as well.
        let password = value.expose().split_once(':').map(|(_, password)| password);
        let texts: Vec<&str> = [value.expose()].into_iter().chain(password).collect();
        let scrubber = Mutex::new(Scrubber::new(&name, &texts));
        Ok(Self {
            name,
            terms,
            injected,
            scrubber,
        })
    }

    /// Returns the text for a request with this method to this host; none if it may not carry it.
    pub(crate) fn of(&self, host: &Endpoint, method: Method) -> Option<(&Place, &str)> {
        let text = self.injected.text.as_str();
        let permits = self.terms.permit(host, method);
        permits.then_some((&self.injected.place, text))
    }

    /// Puts a marker in the place of each value in bytes that came back.
    pub(crate) fn scrub(&self, bytes: &[u8]) -> Vec<u8> {
        let mut scrubber = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        scrubber.whole(bytes)
    }

    /// Takes the next bytes of an answer, and returns those that are certain, scrubbed.
    pub(crate) fn push(&self, bytes: &[u8]) -> Vec<u8> {
        let mut scrubber = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        scrubber.push(bytes)
    }

    /// Ends an answer: returns the bytes that waited, scrubbed.
    pub(crate) fn end(&self) -> Vec<u8> {
        let mut scrubber = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        scrubber.end()
    }

    /// Puts a marker in the place of each value in a text about the call.
    #[must_use]
    pub fn scrub_text(&self, text: &str) -> String {
        let mut scrubber = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        scrubber.text(text)
    }

    /// The number of values that came back.
    #[must_use]
    pub fn hits(&self) -> u64 {
        let scrubber = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        scrubber.hits()
    }
}

impl fmt::Debug for Credential {
    /// Shows the name, never the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret {}", self.name)
    }
}

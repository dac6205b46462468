//! Finds values in what comes back from a host, in the encodings that hosts use, and puts a marker in their place.

mod form;
mod found;
mod pattern;

use std::fmt;

use bus_schema::SecretName;
use zeroize::Zeroizing;

use self::found::Found;
use self::pattern::Pattern;

/// Replaces values in bytes that come in pieces of any size.
pub struct Scrubber {
    marker: String,
    patterns: Vec<Pattern>,
    /// The bytes that a find can begin with.
    first: Box<[bool; 256]>,
    /// The beginning of what may become a find.
    held: Zeroizing<Vec<u8>>,
    hits: u64,
}

impl Scrubber {
    /// Makes one for the texts that a secret was injected as, such as `user:password` and `password`.
    #[must_use]
    pub fn new(name: &SecretName, texts: &[&str]) -> Self {
        let texts = texts.iter().filter(|text| !text.is_empty());
        let patterns: Vec<Pattern> = texts.flat_map(|text| Pattern::all(text)).collect();
        let mut first = Box::new([false; 256]);
        for (byte, begins) in (0_u8..=u8::MAX).zip(first.iter_mut()) {
            *begins = patterns.iter().any(|pattern| pattern.begins(byte));
        }
        Self {
            marker: format!("[secret {name}]"),
            patterns,
            first,
            held: Zeroizing::default(),
            hits: 0,
        }
    }

    /// The number of values that were found.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.hits
    }

    /// Takes the next bytes, and returns those that are certain: bytes that may be the beginning of a value wait for the
    /// next ones.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.take(bytes, false)
    }

    /// Returns the bytes that waited; the next ones begin anew.
    pub fn end(&mut self) -> Vec<u8> {
        self.take(&[], true)
    }

    /// Scrubs a whole text; nothing may wait.
    pub fn whole(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut scrubbed = self.push(bytes);
        scrubbed.extend(self.end());
        scrubbed
    }

    /// Scrubs a whole text; nothing may wait.
    pub fn text(&mut self, text: &str) -> String {
        let scrubbed = self.whole(text.as_bytes());
        String::from_utf8_lossy(&scrubbed).into_owned()
    }

    fn take(&mut self, bytes: &[u8], is_end: bool) -> Vec<u8> {
        let mut all = Zeroizing::new(Vec::with_capacity(self.held.len() + bytes.len()));
        all.extend_from_slice(&self.held);
        all.extend_from_slice(bytes);
        self.held = Zeroizing::default();
        let mut scrubbed = Vec::with_capacity(all.len());
        let mut rest = all.as_slice();
        while let Some((byte, after)) = rest.split_first() {
            let begins = self.first.get(usize::from(*byte)).copied();
            let found = if begins.unwrap_or(true) {
                self.find(rest)
            } else {
                Found::No
            };
            match found {
                Found::Bytes(len) => {
                    self.hits += 1;
                    scrubbed.extend_from_slice(self.marker.as_bytes());
                    rest = rest.get(len..).unwrap_or_default();
                }
                Found::More if !is_end => {
                    self.held = Zeroizing::new(rest.to_vec());
                    return scrubbed;
                }
                Found::More | Found::No => {
                    scrubbed.push(*byte);
                    rest = after;
                }
            }
        }
        scrubbed
    }

    /// Looks for a value at the beginning of the text; the longest one counts.
    fn find(&self, text: &[u8]) -> Found {
        let found = self.patterns.iter().map(|pattern| pattern.at(text));
        found.fold(Found::No, Found::or)
    }
}

impl fmt::Debug for Scrubber {
    /// Shows the marker and the number of finds, never a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} found {} times", self.marker, self.hits)
    }
}

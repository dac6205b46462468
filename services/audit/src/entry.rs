//! An entry of the log and its canonical encoding.

use bus_schema::{Meta, Raw};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Refused;
use crate::limits::MAX_ENTRY_BYTES;

/// The maximum size of a subject that an oversize entry keeps.
pub const MAX_SUBJECT_BYTES: usize = 1_024;
/// The subject of entry 0, whose body is the origin.
pub const GENESIS_SUBJECT: &str = "genesis";

const VERSION: u8 = 1;
const DIGEST_BYTES: usize = 32;

/// One stored message in the form that the log keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The sequence number in the `AUDIT` stream, and the index in the log.
    pub seq: u64,
    /// The time at which the bus stored it, in nanoseconds since the Unix epoch.
    pub stored_ns: i64,
    /// The subject that it was stored under.
    pub subject: String,
    /// The bytes of its signature header, if it had one.
    pub signature: Option<Vec<u8>>,
    /// The body; for [`Junk::CUT`] its SHA-256.
    pub body: Vec<u8>,
    /// The audit service's verdict.
    pub verdict: Verdict,
}

/// The audit service's verdict on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Signature, author, subject and chain are valid.
    Genuine,
    /// Readers skip it, for this reason.
    Junk(Junk),
}

/// The reason why a message is junk: a code from 1 to 255 whose meaning never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Junk(u8);

macro_rules! codes { ($($code:literal = $kind:ident;)*) => {
    impl From<bus_schema::Junk> for Junk {
        fn from(kind: bus_schema::Junk) -> Self {
            match kind { $(bus_schema::Junk::$kind => Self($code),)* }
        }
    }

    impl Junk {
        /// Every kind of junk that the bus knows, with its code.
        pub const KINDS: &[(u8, bus_schema::Junk)] = &[$(($code, bus_schema::Junk::$kind)),*];
    }
} }

codes! {
    2 = Malformed;
    3 = NoKey;
    4 = Signature;
    5 = Copied;
    6 = Chain;
    7 = Version;
    8 = Subject;
    9 = Oversize;
    10 = Unsigned;
    11 = Kind;
    12 = Replayed;
}

impl Junk {
    /// The code of a message that does not fit an entry, which holds the digest of its body instead.
    pub const CUT: Self = Self(1);

    /// The stored code, never 0.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The bus's kind of junk; none for [`Junk::CUT`] and for codes of a newer version.
    #[must_use]
    pub fn kind(self) -> Option<bus_schema::Junk> {
        let found = Self::KINDS.iter().find(|(code, _)| *code == self.0);
        found.map(|(_, kind)| *kind)
    }
}

impl std::fmt::Display for Junk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind() {
            Some(kind) => kind.fmt(f),
            None if *self == Self::CUT => f.write_str("too large to be kept"),
            None => write!(f, "code {}, of a newer version", self.0),
        }
    }
}

impl TryFrom<u8> for Junk {
    type Error = Refused;

    fn try_from(code: u8) -> Result<Self, Refused> {
        if code == 0 {
            Err(Refused::EntryEncoding)
        } else {
            Ok(Self(code))
        }
    }
}

impl From<Result<&Meta, bus_schema::Junk>> for Verdict {
    fn from(verdict: Result<&Meta, bus_schema::Junk>) -> Self {
        match verdict {
            Ok(_) => Self::Genuine,
            Err(kind) => Self::Junk(kind.into()),
        }
    }
}

#[derive(Serialize)]
struct Stored<'a> {
    v: u8,
    seq: u64,
    stored_ns: i64,
    subject: &'a str,
    signature: Option<&'a serde_bytes::Bytes>,
    body: &'a serde_bytes::Bytes,
    junk: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parsed {
    v: u8,
    seq: u64,
    stored_ns: i64,
    subject: String,
    signature: Option<serde_bytes::ByteBuf>,
    body: serde_bytes::ByteBuf,
    junk: u8,
}

impl Entry {
    /// The entry of a stored message.
    #[must_use]
    pub fn of(raw: &Raw<'_>, verdict: Verdict) -> Self {
        Self {
            seq: raw.seq,
            stored_ns: raw.stored.ns(),
            subject: raw.subject.to_owned(),
            signature: raw.signature.map(|text| text.as_bytes().to_vec()),
            body: raw.body.to_vec(),
            verdict,
        }
    }

    /// The size of its variable parts in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.subject.len() + self.signature.as_ref().map_or(0, Vec::len) + self.body.len()
    }

    /// The entry's canonical MessagePack encoding, at most [`MAX_ENTRY_BYTES`]: a map with field
    /// names in a fixed order. An entry that does not fit is encoded as [`Entry::cut`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let fits = self.body.len() <= MAX_ENTRY_BYTES
            && self.subject.len() <= MAX_ENTRY_BYTES
            && (self.verdict != Verdict::Junk(Junk::CUT) || self.body.len() == DIGEST_BYTES);
        let bytes = if fits {
            self.encode_as_is()
        } else {
            Vec::new()
        };
        if !bytes.is_empty() && bytes.len() <= MAX_ENTRY_BYTES {
            return bytes;
        }
        self.cut().encode_as_is()
    }

    /// The replacement for a message that does not fit: sequence, time, the first
    /// [`MAX_SUBJECT_BYTES`] of the subject, the SHA-256 of the body, and [`Junk::CUT`].
    #[must_use]
    pub fn cut(&self) -> Self {
        let mut end = self.subject.len().min(MAX_SUBJECT_BYTES);
        while !self.subject.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            seq: self.seq,
            stored_ns: self.stored_ns,
            subject: self.subject.get(..end).unwrap_or_default().to_owned(),
            signature: None,
            body: Sha256::digest(&self.body).to_vec(),
            verdict: Verdict::Junk(Junk::CUT),
        }
    }

    /// Decodes an entry. Refuses every input that [`Entry::encode`] would not have written.
    ///
    /// # Errors
    ///
    /// [`Refused::EntryTooLarge`] or [`Refused::EntryEncoding`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(Refused::EntryTooLarge);
        }
        let parsed: Parsed = rmp_serde::from_slice(bytes).map_err(|_| Refused::EntryEncoding)?;
        let entry = Self {
            seq: parsed.seq,
            stored_ns: parsed.stored_ns,
            subject: parsed.subject,
            signature: parsed.signature.map(serde_bytes::ByteBuf::into_vec),
            body: parsed.body.into_vec(),
            verdict: Junk::try_from(parsed.junk).map_or(Verdict::Genuine, Verdict::Junk),
        };
        if parsed.v != VERSION || entry.encode() != bytes {
            return Err(Refused::EntryEncoding);
        }
        Ok(entry)
    }

    /// The RFC 6962 leaf hash of the entry.
    #[must_use]
    pub fn leaf_hash(&self) -> [u8; 32] {
        leaf_hash(&self.encode())
    }

    pub(crate) fn genesis(origin: &str, time_ns: i64) -> Self {
        Self {
            seq: 0,
            stored_ns: time_ns,
            subject: GENESIS_SUBJECT.to_owned(),
            signature: None,
            body: origin.as_bytes().to_vec(),
            verdict: Verdict::Genuine,
        }
    }

    pub(crate) fn is_genesis_of(&self, origin: &str) -> bool {
        *self == Self::genesis(origin, self.stored_ns)
    }

    fn encode_as_is(&self) -> Vec<u8> {
        let stored = Stored {
            v: VERSION,
            seq: self.seq,
            stored_ns: self.stored_ns,
            subject: &self.subject,
            signature: self.signature.as_deref().map(serde_bytes::Bytes::new),
            body: serde_bytes::Bytes::new(&self.body),
            junk: match self.verdict {
                Verdict::Genuine => 0,
                Verdict::Junk(junk) => junk.code(),
            },
        };
        rmp_serde::to_vec_named(&stored).expect("an entry has only encodable fields")
    }
}

/// The RFC 6962 leaf hash of an encoded entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> [u8; 32] {
    tlog_tiles::record_hash(entry).0
}

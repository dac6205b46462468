//! Content: bytes that an event names by salted digest, so that the event still verifies after they are erased.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AuthorId, Digest, Salt};

/// Most bytes that one content may hold: 4 MiB.
pub const CONTENT_BYTES_MAX: usize = 4 << 20;
/// Most bytes of one message in `BLOBS`: 512 KiB.
pub const CHUNK_BYTES_MAX: usize = 512 << 10;

/// The only way for arguments, outputs and documents to be in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    digest: Digest,
    len: u32,
}

/// Content with its salt and bytes, as it is stored and sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    content: Content,
    /// The salt, then the bytes.
    stored: Vec<u8>,
}

impl fmt::Debug for Sealed {
    /// Shows the digest and the length, never the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealed").field(&self.content).finish()
    }
}

/// The bytes are more than [`CONTENT_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("content of {0} bytes is larger than {CONTENT_BYTES_MAX} bytes; split it")]
pub struct TooLarge(usize);

impl Content {
    /// SHA-256 over salt and bytes.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }
    /// The number of bytes, without the salt.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }
    /// Returns true if the content has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The number of messages in `BLOBS` that hold it.
    #[must_use]
    pub fn chunks(&self) -> usize {
        (self.len as usize + 32).div_ceil(CHUNK_BYTES_MAX)
    }
    /// The subject of its `n`th message, as put there by `author`.
    #[must_use]
    pub fn subject(&self, author: AuthorId, n: usize) -> String {
        format!("blob.{author}.{}.{n}", self.digest)
    }
    /// Returns the bytes in `stored` if they match the digest.
    #[must_use]
    pub fn open(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let (_, bytes) = stored.split_at_checked(32)?;
        let genuine = bytes.len() == self.len as usize && Digest::of(&[stored]) == self.digest;
        genuine.then(|| bytes.to_vec())
    }
}

impl Sealed {
    /// Seals `bytes` with a digest over `salt` and bytes, so that nobody can guess the bytes from it.
    ///
    /// # Errors
    /// [`TooLarge`] past 4 MiB.
    pub fn new(salt: Salt, bytes: &[u8]) -> Result<Self, TooLarge> {
        let len = u32::try_from(bytes.len()).map_err(|_| TooLarge(bytes.len()))?;
        if bytes.len() > CONTENT_BYTES_MAX {
            return Err(TooLarge(bytes.len()));
        }
        let stored = [salt.as_bytes().as_slice(), bytes].concat();
        Ok(Self {
            content: Content {
                digest: Digest::of(&[&stored]),
                len,
            },
            stored,
        })
    }
    /// Takes salt and bytes as they were sent.
    ///
    /// # Errors
    /// [`TooLarge`] past 4 MiB or below the length of a salt.
    pub fn from_stored(stored: Vec<u8>) -> Result<Self, TooLarge> {
        let len = stored
            .len()
            .checked_sub(32)
            .filter(|len| *len <= CONTENT_BYTES_MAX);
        let len = len
            .and_then(|len| u32::try_from(len).ok())
            .ok_or(TooLarge(stored.len()))?;
        Ok(Self {
            content: Content {
                digest: Digest::of(&[&stored]),
                len,
            },
            stored,
        })
    }
    /// The name that events use for it.
    #[must_use]
    pub const fn content(&self) -> Content {
        self.content
    }
    /// The salt of its digest.
    ///
    /// # Panics
    /// Never: nothing is sealed without a salt.
    #[must_use]
    pub fn salt(&self) -> Salt {
        let salt = self
            .stored
            .get(..32)
            .and_then(|salt| Salt::try_from(salt).ok());
        salt.expect("the first 32 bytes are the salt")
    }
    /// Returns the digest by which an outcome proves a body that was sent, given the SHA-256 of the body. Without the salt of
    /// this output, nobody can guess the body from it.
    #[must_use]
    pub fn proof_of(&self, body: &Digest) -> Digest {
        Digest::of(&[self.salt().as_bytes(), body.as_bytes()])
    }
    /// Salt and bytes.
    #[must_use]
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.stored.get(32..).unwrap_or_default()
    }
}

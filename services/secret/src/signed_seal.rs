//! The content that the owner signs for a version of a secret: the sealed value, or the digest of a file that holds it.

use bus_schema::{Digest, SecretName, json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::seal::{NotOpened, OuterSeal};
use crate::terms::{SecretTerms, TERMS_BYTES_MAX};

/// The first byte of the form in a file, with which no sealed value begins.
const OBJECT: u8 = b'{';
/// Most bytes of the form in a file besides the terms.
const REST_BYTES_MAX: usize = 128;

/// The content of a signed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedSeal {
    /// The sealed value.
    Record(OuterSeal),
    /// The digest of a file with the sealed value.
    File(Box<FiledSeal>),
}

/// A sealed value that a file of the broker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledSeal {
    terms: SecretTerms,
    /// SHA-256 of the file.
    file: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSeal {
    terms: Value,
    file: Digest,
}

impl SignedSeal {
    /// Reads the content.
    ///
    /// # Errors
    /// [`NotOpened::Encoding`] or [`NotOpened::Terms`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotOpened> {
        if bytes.first() == Some(&OBJECT) {
            FiledSeal::read(bytes).map(|filed| Self::File(Box::new(filed)))
        } else {
            OuterSeal::read(bytes).map(Self::Record)
        }
    }

    /// Returns the terms; only an open seal proves that they are those under which the value was sealed.
    ///
    /// # Errors
    /// [`NotOpened::Terms`]
    pub fn terms(&self) -> Result<SecretTerms, NotOpened> {
        match self {
            Self::Record(outer) => outer.terms(),
            Self::File(filed) => Ok(filed.terms.clone()),
        }
    }

    /// Returns true if a file holds the sealed value.
    #[must_use]
    pub const fn is_in_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl FiledSeal {
    /// Describes a file with these bytes.
    ///
    /// # Errors
    /// [`NotOpened::Terms`]
    pub fn of(outer: &OuterSeal) -> Result<Self, NotOpened> {
        Ok(Self {
            terms: outer.terms()?,
            file: Digest::of(&[&outer.bytes()]),
        })
    }

    /// Returns the terms.
    #[must_use]
    pub const fn terms(&self) -> &SecretTerms {
        &self.terms
    }

    /// Returns the content to sign: canonical JSON.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        json::canonical(&json!({ "terms": self.terms.value(), "file": self.file }))
    }

    fn read(bytes: &[u8]) -> Result<Self, NotOpened> {
        let wrong = NotOpened::Encoding;
        let written = json::parse_canonical(bytes, TERMS_BYTES_MAX + REST_BYTES_MAX);
        let written = WrittenSeal::deserialize(written.map_err(|_| wrong)?);
        let WrittenSeal { terms, file } = written.map_err(|_| wrong)?;
        let terms = SecretTerms::read(&json::canonical(&terms))?;
        Ok(Self { terms, file })
    }

    /// Reads the bytes of the file, which are those that the owner signed.
    ///
    /// # Errors
    /// [`NotOpened::Encoding`] for other bytes.
    pub fn open(&self, file: &[u8]) -> Result<OuterSeal, NotOpened> {
        if Digest::of(&[file]) != self.file {
            return Err(NotOpened::Encoding);
        }
        let outer = OuterSeal::read(file)?;
        if outer.terms()? == self.terms {
            Ok(outer)
        } else {
            Err(NotOpened::Encoding)
        }
    }

    /// Returns the name of the file: name and version, so that the file of a new version takes the place of no other.
    #[must_use]
    pub fn file_name(name: &SecretName, version: u32) -> String {
        format!("{name}.{version}")
    }
}

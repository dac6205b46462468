//! The private keys that seals are opened with.

use std::fmt;
use std::path::Path;

use bus_schema::SealingPublicKey;
use data_encoding::HEXLOWER;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, Serializable as _};
use zeroize::Zeroizing;

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;

/// A private key; erased from memory when it is dropped.
#[derive(Clone)]
pub struct SealingKey(PrivateKey);

/// A text that is no such key. It never has a part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not an X25519 private key of 64 lower-case hexadecimal digits")]
pub struct NotASealingKey;

impl NotASealingKey {
    /// The problem of a service's key file, and what to do.
    #[must_use]
    pub fn of_file(self, file: &Path) -> String {
        let file = file.display();
        format!(
            "{file} cannot be used ({self}); bring it back, or move it away, run `contractual init`, and set each secret again"
        )
    }
}

impl SealingKey {
    /// Makes a key of 32 random bytes.
    #[must_use]
    pub fn of(random: &Zeroizing<[u8; 32]>) -> Self {
        let (key, _) = X25519HkdfSha256::derive_keypair(&random[..]);
        Self(key)
    }

    /// Reads the text of a key file.
    ///
    /// # Errors
    /// [`NotASealingKey`]
    pub fn read(text: &[u8]) -> Result<Self, NotASealingKey> {
        let digits = text.strip_suffix(b"\n").unwrap_or(text);
        let bytes = HEXLOWER.decode(digits).map_err(|_| NotASealingKey)?;
        let bytes = Zeroizing::new(bytes);
        let key = PrivateKey::from_bytes(&bytes).map_err(|_| NotASealingKey)?;
        Ok(Self(key))
    }

    /// Returns the text of a key file.
    #[must_use]
    pub fn text(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        self.0.write_exact(&mut bytes[..]);
        let mut text = Zeroizing::new(vec![b'\n'; 65]);
        for (digits, byte) in text.chunks_exact_mut(2).zip(bytes.iter()) {
            HEXLOWER.encode_mut(&[*byte], digits);
        }
        text
    }

    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> SealingPublicKey {
        let mut bytes = [0; 32];
        self.half().write_exact(&mut bytes);
        SealingPublicKey::new(bytes)
    }

    pub(crate) fn half(&self) -> PublicKey {
        X25519HkdfSha256::sk_to_pk(&self.0)
    }

    pub(crate) const fn private(&self) -> &PrivateKey {
        &self.0
    }
}

impl fmt::Debug for SealingKey {
    /// Shows the public half.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sealing key of {}", self.public())
    }
}

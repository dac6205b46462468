//! Signing keys: makes and loads the Ed25519 keys that sign events, in PKCS#8 PEM files.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use zeroize::Zeroizing;

use crate::files::{self, Written};

/// A signing key could not be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be used.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The operating system gave no random bytes.
    #[error("cannot get random bytes for a new key; try again when the system has started")]
    Random(#[source] rustix::io::Errno),
    /// The file is not such a key.
    #[error("{} is not an Ed25519 private key in PKCS#8 PEM; restore it, or move it away and run `contractual init`", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// A fresh key could not be encoded.
    #[error("cannot encode a new key for {}; report this", path.display())]
    Encode {
        /// The file for it.
        path: PathBuf,
    },
}

/// Loads the key at `path` (PKCS#8 PEM, version 1 or 2).
///
/// The key is erased from memory when it is dropped, and its `Debug` shows the public half only.
///
/// # Errors
/// The errors of [`files::read_secret`], and [`Error::NotAKey`].
pub fn load(path: &Path) -> Result<SigningKey, Error> {
    let bytes = files::read_secret(path)?;
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|pem| SigningKey::from_pkcs8_pem(pem).ok())
        .ok_or_else(|| Error::NotAKey { path: path.into() })
}

/// Loads the key at `path`, or makes one there with mode 0600 if there is none.
///
/// # Errors
/// The errors of [`load`], and [`Error::Random`]. An existing file is never replaced.
pub fn create(path: &Path) -> Result<(SigningKey, Written), Error> {
    files::keep_or_create(path, load, || new_pem(path))
}

/// Makes a key that is kept in memory alone.
///
/// # Errors
/// [`Error::Random`]
pub fn fresh() -> Result<SigningKey, Error> {
    let mut secret = Zeroizing::new([0_u8; 32]);
    fill(&mut secret)?;
    Ok(SigningKey::from_bytes(&secret))
}

fn new_pem(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut secret = Zeroizing::new([0_u8; 32]);
    fill(&mut secret)?;
    // Version 1, without the public half: OpenSSL does not read version 2 in every release.
    let pair = Zeroizing::new(KeypairBytesV1(KeypairBytes {
        secret_key: *secret,
        public_key: None,
    }));
    let pem = pair
        .0
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|_not_secret| Error::Encode { path: path.into() })?;
    Ok(Zeroizing::new(pem.as_bytes().to_vec()))
}

fn fill(bytes: &mut [u8; 32]) -> Result<(), Error> {
    // Up to 256 bytes are always delivered whole once the system's pool is ready.
    rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty())
        .map(drop)
        .map_err(Error::Random)
}

struct KeypairBytesV1(KeypairBytes);

impl zeroize::Zeroize for KeypairBytesV1 {
    fn zeroize(&mut self) {
        self.0.secret_key.zeroize();
    }
}

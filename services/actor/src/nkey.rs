//! NKeys: makes and loads the user seeds with which services and people log in to NATS.

use std::fmt;
use std::path::{Path, PathBuf};

use nkeys::{KeyPair, KeyPairType};
use zeroize::Zeroizing;

use crate::files::{self, Written};

/// An NKey of type *user*; its `Debug` shows the public half only.
pub struct UserKey {
    seed: Zeroizing<String>,
    public: String,
}

/// A user key could not be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be used.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file is not a user seed.
    #[error("{} is not an NKey user seed (one line that begins with SU); restore it, or move it away and run `contractual init`", path.display())]
    NotASeed {
        /// The file.
        path: PathBuf,
    },
    /// A fresh key could not be encoded.
    #[error("cannot encode a new NKey; report this")]
    Encode,
}

impl UserKey {
    /// Loads the seed at `path`: one line, as the `nats` command line reads it.
    ///
    /// # Errors
    /// The errors of [`files::read_secret`], and [`Error::NotASeed`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = files::read_secret(path)?;
        std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| Self::parse(text.strip_suffix('\n').unwrap_or(text)))
            .ok_or_else(|| Error::NotASeed { path: path.into() })
    }

    /// Loads the seed at `path`, or makes one there with mode 0600 if there is none.
    ///
    /// # Errors
    /// The errors of [`UserKey::load`]. An existing file is never replaced.
    pub fn create(path: &Path) -> Result<(Self, Written), Error> {
        files::keep_or_create(path, Self::load, || {
            let seed = KeyPair::new_user()
                .seed()
                .map_err(|_not_secret| Error::Encode)?;
            let seed = Zeroizing::new(seed);
            let mut line = Zeroizing::new(Vec::with_capacity(seed.len() + 1));
            line.extend_from_slice(seed.as_bytes());
            line.push(b'\n');
            Ok(line)
        })
    }

    /// The public key, which begins with `U`, for the server's list of users.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The seed, for a client that has to answer the server's challenge.
    #[must_use]
    pub fn seed(&self) -> &str {
        &self.seed
    }

    fn parse(seed: &str) -> Option<Self> {
        let pair = KeyPair::from_seed(seed).ok()?;
        (pair.key_pair_type() == KeyPairType::User).then(|| Self {
            seed: Zeroizing::new(seed.to_owned()),
            public: pair.public_key(),
        })
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("UserKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

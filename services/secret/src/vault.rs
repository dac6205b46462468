//! The source of a value that a server of Vault or OpenBao keeps: the secret is what egress logs in with there.

use std::fmt;
use std::str::FromStr;

use contract::{Endpoint, StrictUrl};

use crate::spelling::TEXT_BYTES_MAX;

/// The usual place of the secrets engine.
pub const VAULT_MOUNT: &str = "secret";
/// The usual place of the login with an AppRole.
pub const VAULT_AUTH: &str = "approle";

/// The version of a value that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultVersion {
    /// This one alone, from 1.
    Pinned(u32),
    /// The newest one, whoever wrote it.
    Newest,
}

/// The place of a value in the KV secrets engine, version 2, and the AppRole that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPlace {
    /// The path of the secrets engine.
    pub mount: String,
    /// The path of the secret in it.
    pub path: String,
    /// The field of the secret.
    pub field: String,
    /// The version.
    pub version: VaultVersion,
    /// The path of the login below `auth/`.
    pub auth: String,
    /// The id of the role.
    pub role: String,
}

/// A server with the place of a value there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSource {
    url: String,
    endpoint: Endpoint,
    place: VaultPlace,
}

/// The reason that texts are no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultSourceError {
    /// Not a URL that every program reads alike.
    #[error("the URL of the vault is not valid: {0}")]
    Url(#[from] contract::UrlError),
    /// A URL with a path or a query.
    #[error("write the URL of the vault without a path, such as https://vault.example.com:8200")]
    Path,
    /// A path with other characters.
    #[error(
        "{0} is not valid: write names of letters, digits, `-`, `_` and `.`, with one `/` between them"
    )]
    Name(&'static str),
    /// A field or a role with other characters.
    #[error("{0} is not valid: write 1 to {TEXT_BYTES_MAX} characters of visible ASCII")]
    Text(&'static str),
    /// No version.
    #[error("write a version from 1, or newest")]
    Version,
}

impl VaultSource {
    /// Makes one.
    ///
    /// # Errors
    /// [`VaultSourceError`]
    pub fn new(url: &str, place: VaultPlace) -> Result<Self, VaultSourceError> {
        let base = url.strip_suffix('/').unwrap_or(url);
        let strict = StrictUrl::new(&format!("{base}/"))?;
        if strict.path() != "/" || strict.query().is_some() {
            return Err(VaultSourceError::Path);
        }
        let paths = [
            ("the mount", &place.mount),
            ("the path", &place.path),
            ("the mount of the login", &place.auth),
        ];
        if let Some((what, _)) = paths.into_iter().find(|(_, path)| !is_path(path)) {
            return Err(VaultSourceError::Name(what));
        }
        let is_plain = |c: u8| c.is_ascii_graphic() && c != b'"' && c != b'\\';
        let fits = |text: &str| {
            !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(is_plain)
        };
        let texts = [("the field", &place.field), ("the role", &place.role)];
        if let Some((what, _)) = texts.into_iter().find(|(_, text)| !fits(text)) {
            return Err(VaultSourceError::Text(what));
        }
        if place.version == VaultVersion::Pinned(0) {
            return Err(VaultSourceError::Version);
        }
        Ok(Self {
            url: base.to_owned(),
            endpoint: strict.endpoint().clone(),
            place,
        })
    }

    /// The URL of the server, without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The host and port of the server.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The place of the value.
    #[must_use]
    pub const fn place(&self) -> &VaultPlace {
        &self.place
    }
}

impl VaultVersion {
    /// The number of a pinned version.
    #[must_use]
    pub const fn pinned(self) -> Option<u32> {
        match self {
            Self::Pinned(version) => Some(version),
            Self::Newest => None,
        }
    }
}

impl FromStr for VaultVersion {
    type Err = VaultSourceError;

    fn from_str(text: &str) -> Result<Self, VaultSourceError> {
        if text == "newest" {
            return Ok(Self::Newest);
        }
        let pinned = text.parse().ok().filter(|version| *version > 0);
        pinned.map(Self::Pinned).ok_or(VaultSourceError::Version)
    }
}

impl fmt::Display for VaultVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(version) => write!(f, "{version}"),
            Self::Newest => f.write_str("newest"),
        }
    }
}

fn is_path(text: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    let is_name =
        |name: &str| !name.is_empty() && name != "." && name != ".." && name.bytes().all(is_plain);
    text.len() <= TEXT_BYTES_MAX && text.split('/').all(is_name)
}

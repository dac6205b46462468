//! The configuration: the listen address, the gateway's origin and the signer's host names.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// The configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address of one interface, with a port.
    pub listen: SocketAddr,
    /// The origin of the gateway, such as `http://127.0.0.1:8080`: the page talks to it and to nothing else.
    pub gateway: String,
    /// The accepted values of the header `Host`, besides a loopback address that it listens on.
    #[serde(default)]
    pub hosts: BTreeSet<String>,
}

/// The reason why a configuration is invalid.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// It cannot be read.
    #[error("{} cannot be read; name the signer's configuration file", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not TOML of this form.
    #[error("{} is not a configuration of the signer; see services/signer/signer.toml", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<toml::de::Error>,
    },
    /// The origin is none.
    #[error(
        "{0:?} is not the origin of a gateway; write https://HOST:PORT, or http:// with a loopback address"
    )]
    Origin(String),
    /// The address is of every interface.
    #[error("{0} is not the address of one interface; name one address with a port")]
    Listen(SocketAddr),
}

/// Reads and checks a configuration file.
///
/// # Errors
/// [`Invalid`]
pub fn read(path: &Path) -> Result<Config, Invalid> {
    let text = std::fs::read_to_string(path).map_err(|source| Invalid::Unread {
        path: path.to_owned(),
        source,
    })?;
    let config: Config = toml::from_str(&text).map_err(|source| Invalid::Malformed {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    config.check()
}

impl Config {
    /// Checks the values.
    ///
    /// # Errors
    /// [`Invalid`]
    pub fn check(self) -> Result<Self, Invalid> {
        if !is_origin(&self.gateway) {
            return Err(Invalid::Origin(self.gateway.chars().take(80).collect()));
        }
        if self.listen.ip().is_unspecified() || self.listen.port() == 0 {
            return Err(Invalid::Listen(self.listen));
        }
        Ok(self)
    }

    /// Returns true if `host` names this signer.
    #[must_use]
    pub fn is_named(&self, host: &str) -> bool {
        let is_own = self.listen.ip().is_loopback() && host == self.listen.to_string();
        is_own || self.hosts.contains(host)
    }
}

/// Returns true for an origin that needs no quotes in a policy or a page.
fn is_origin(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(host), _) => !host.is_empty() && host.bytes().all(plain),
        (None, Some(host)) => host
            .parse::<SocketAddr>()
            .is_ok_and(|address| address.ip().is_loopback() && address.port() != 0),
        (None, None) => false,
    }
}

//! The gateway's host names, and the errors of its configuration.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

/// The maximum number of names.
const HOSTS_MAX: usize = 16;
/// The maximum length of a name with its port.
const HOST_BYTES_MAX: usize = 260;

/// The reason why a value of the configuration is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not an address with a port.
    #[error("{0:?} is not an address with a port; write one such as 127.0.0.1:8080")]
    Address(String),
    /// A wildcard, multicast or broadcast address.
    #[error("{0} is not the address of one interface; name one address")]
    Everywhere(SocketAddr),
    /// An address that other machines could reach without the sidecar.
    #[error("{0} is not on the loopback; name a loopback address, or use `edge` for others")]
    NotLoopback(SocketAddr),
    /// A loopback address, where every program of the machine could pass for the sidecar.
    #[error(
        "{0} is on the loopback; name an address of the network that holds only gateway and sidecar"
    )]
    Loopback(IpAddr),
    /// Not the address of another container.
    #[error("{0} cannot be the sidecar's; name its one address on the network of `edge.listen`")]
    Sidecar(IpAddr),
    /// Port 0.
    #[error("port 0 is no fixed port; name a port, because clients send it in `Host`")]
    NoPort,
    /// Not a host name.
    #[error("{0:?} is not a host name; write lower case, and the port after ':' unless it is 443")]
    Host(String),
    /// Too many names.
    #[error("{0} host names are more than 16; remove some")]
    TooManyHosts(usize),
    /// Not the origin of a signer.
    #[error(
        "{0:?} is not the origin of a signer; write https://HOST:PORT, or http:// with a loopback address and its port"
    )]
    Origin(String),
}

/// The origins of signers: pages of them may send requests to this gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Origins(BTreeSet<String>);

impl TryFrom<Vec<String>> for Origins {
    type Error = Invalid;
    fn try_from(origins: Vec<String>) -> Result<Self, Invalid> {
        if origins.len() > HOSTS_MAX {
            return Err(Invalid::TooManyHosts(origins.len()));
        }
        match origins.iter().find(|origin| !is_origin(origin)) {
            Some(wrong) => Err(Invalid::Origin(wrong.chars().take(80).collect())),
            None => Ok(Self(origins.into_iter().collect())),
        }
    }
}

impl Origins {
    /// Returns true if `origin` is exactly one of them.
    #[must_use]
    pub fn names(&self, origin: &str) -> bool {
        self.0.contains(origin)
    }
}

fn is_origin(text: &str) -> bool {
    match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(host), _) => is_host(host),
        // Browsers make passkeys for names alone, and resolve this one to the loopback.
        (None, Some(host)) if host.starts_with("localhost:") => is_host(host),
        (None, Some(host)) => {
            let address = host.parse::<SocketAddr>();
            address.is_ok_and(|address| address.ip().is_loopback() && address.port() != 0)
        }
        (None, None) => false,
    }
}

/// The accepted values of the header `Host`, and the origins of signers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Hosts {
    names: BTreeSet<String>,
    signers: Origins,
}

impl Hosts {
    /// Returns true if there are no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The same names, with these signers.
    #[must_use]
    pub fn with_signers(self, signers: Origins) -> Self {
        Self { signers, ..self }
    }

    /// Returns true if `origin` is exactly that of a signer.
    #[must_use]
    pub fn is_signer(&self, origin: &str) -> bool {
        self.signers.names(origin)
    }

    /// The origins of signers.
    pub fn signers(&self) -> impl Iterator<Item = &str> {
        self.signers.0.iter().map(String::as_str)
    }

    /// Returns true if `host` is one of the names, in any case.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        self.names.contains(&host.to_ascii_lowercase())
    }
}

impl TryFrom<Vec<String>> for Hosts {
    type Error = Invalid;
    fn try_from(names: Vec<String>) -> Result<Self, Invalid> {
        if names.len() > HOSTS_MAX {
            return Err(Invalid::TooManyHosts(names.len()));
        }
        match names.iter().find(|name| !is_host(name)) {
            Some(wrong) => Err(Invalid::Host(wrong.chars().take(80).collect())),
            None => Ok(Self {
                names: names.into_iter().collect(),
                signers: Origins::default(),
            }),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names.iter().map(String::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

fn is_host(text: &str) -> bool {
    let (name, port) = text
        .split_once(':')
        .map_or((text, None), |(name, port)| (name, Some(port)));
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= HOST_BYTES_MAX
        && name
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(plain))
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

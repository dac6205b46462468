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
}

/// The accepted values of the header `Host`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// Returns true if there are no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if `host` is one of the names, in any case.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        self.0.contains(&host.to_ascii_lowercase())
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
            None => Ok(Self(names.into_iter().collect())),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(String::as_str).collect();
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

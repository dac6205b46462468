//! The configuration: where the gateway listens, and under which names it is known.

use std::{collections::BTreeSet, fmt, net::SocketAddr};

use serde::Deserialize;

/// Most names.
const HOSTS_MAX: usize = 16;
/// Longest name with its port.
const HOST_BYTES_MAX: usize = 260;

/// The table `[service]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The one address it listens on, such as `127.0.0.1:8080` or the address on the edge network; never all
    /// addresses.
    pub listen: Listen,
    /// The names that the sidecar is reached by, at most 16: what `Host` may be beside `listen`.
    #[serde(default)]
    pub hosts: Hosts,
}

/// Why a value of the configuration is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not an address with a port.
    #[error("{0:?} is not an address with a port; write one such as 127.0.0.1:8080")]
    Address(String),
    /// All addresses, or none in particular.
    #[error("{0} is not the address of one interface; name the loopback or the edge address")]
    Everywhere(SocketAddr),
    /// Port 0.
    #[error("port 0 is no fixed port; name one, because clients have to name it in `Host`")]
    NoPort,
    /// Not a host name.
    #[error("{0:?} is not a host name; write lower case, and the port behind ':' if it is not 443")]
    Host(String),
    /// Too many names.
    #[error("{0} host names are more than 16; remove some")]
    TooManyHosts(usize),
}

/// The address of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(SocketAddr);

impl Listen {
    /// The address.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

impl TryFrom<String> for Listen {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        let address: SocketAddr = text.parse().map_err(|_| Invalid::Address(text))?;
        let ip = address.ip().to_canonical();
        let broadcast = matches!(ip, std::net::IpAddr::V4(ip) if ip.is_broadcast());
        if ip.is_unspecified() || ip.is_multicast() || broadcast {
            return Err(Invalid::Everywhere(address));
        }
        if address.port() == 0 {
            return Err(Invalid::NoPort);
        }
        Ok(Self(address))
    }
}

/// What the header `Host` may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// These and the address that is listened on.
    #[must_use]
    pub fn and(mut self, listen: SocketAddr) -> Self {
        self.0.insert(listen.to_string());
        self
    }

    /// Whether `host` is one of them, whatever its case.
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

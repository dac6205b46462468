//! The configuration: where the gateway listens, for whom, and under which names it is known.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::Deserialize;

use crate::Door;

/// Most names.
const HOSTS_MAX: usize = 16;
/// Longest name with its port.
const HOST_BYTES_MAX: usize = 260;

/// The table `[service]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The loopback address it listens on for programs of its own machine or container, such as `127.0.0.1:8080`.
    pub listen: Listen,
    /// The names that the sidecar is reached by, at most 16: what `Host` may be beside `listen`.
    #[serde(default)]
    pub hosts: Hosts,
    /// The way in from the tailnet; none if there is none.
    pub edge: Option<EdgeListener>,
}

/// Why a value of the configuration is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not an address with a port.
    #[error("{0:?} is not an address with a port; write one such as 127.0.0.1:8080")]
    Address(String),
    /// All addresses, or none in particular.
    #[error("{0} is not the address of one interface; name one address")]
    Everywhere(SocketAddr),
    /// Others could reach it, and no sidecar says who they are.
    #[error("{0} is not on the loopback; others are let in through the sidecar, see `edge`")]
    NotLoopback(SocketAddr),
    /// Every program of the machine could pass for the sidecar.
    #[error(
        "{0} is on the loopback; name an address of the network that holds only gateway and sidecar"
    )]
    Loopback(IpAddr),
    /// Not the address of another container.
    #[error("{0} cannot be the sidecar's; name its one address on the network of `edge.listen`")]
    Sidecar(IpAddr),
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

/// An address on the loopback.
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
        let address = one_address(text)?;
        if address.ip().is_loopback() {
            Ok(Self(address))
        } else {
            Err(Invalid::NotLoopback(address))
        }
    }
}

/// The table `[service.edge]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeTable {
    listen: String,
    sidecar: IpAddr,
}

/// The address on the network that holds only gateway and sidecar, and the sidecar's address there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "EdgeTable")]
pub struct EdgeListener {
    listen: SocketAddr,
    sidecar: IpAddr,
}

impl EdgeListener {
    /// Listens on `listen` for `sidecar`.
    ///
    /// # Errors
    /// If one is no single address of its own beyond the loopback, or they are not of one network.
    pub fn new(listen: String, sidecar: IpAddr) -> Result<Self, Invalid> {
        let listen = one_address(listen)?;
        let own = listen.ip();
        if let Some(loopback) = [own, sidecar].into_iter().find(is_loopback) {
            return Err(Invalid::Loopback(loopback));
        }
        let is_other = sidecar != own && sidecar.is_ipv4() == own.is_ipv4();
        if !is_other || is_everywhere(sidecar) || sidecar.to_canonical() != sidecar {
            return Err(Invalid::Sidecar(sidecar));
        }
        Ok(Self { listen, sidecar })
    }

    /// The address.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.listen
    }

    /// The sidecar's address.
    #[must_use]
    pub const fn sidecar(self) -> IpAddr {
        self.sidecar
    }

    pub(crate) const fn door(self) -> Door {
        Door::edge(self.listen, self.sidecar)
    }
}

impl TryFrom<EdgeTable> for EdgeListener {
    type Error = Invalid;
    fn try_from(table: EdgeTable) -> Result<Self, Invalid> {
        Self::new(table.listen, table.sidecar)
    }
}

/// The address of one interface, with a port.
fn one_address(text: String) -> Result<SocketAddr, Invalid> {
    let address: SocketAddr = text.parse().map_err(|_| Invalid::Address(text))?;
    if is_everywhere(address.ip()) {
        return Err(Invalid::Everywhere(address));
    }
    if address.port() == 0 {
        return Err(Invalid::NoPort);
    }
    Ok(address)
}

fn is_everywhere(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    ip.is_unspecified() || ip.is_multicast() || broadcast
}

fn is_loopback(ip: &IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// What the header `Host` may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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

//! The configuration: the gateway's listen addresses, its sidecar and its host names.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use crate::Entrance;

pub use crate::hosts::{Hosts, Invalid, Origins};

/// The table `[service]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The loopback address for programs of the same machine or container, such as `127.0.0.1:8080`.
    pub listen: Listen,
    /// The sidecar's host names, at most 16: the values of `Host` that are accepted besides `listen`.
    #[serde(default)]
    pub hosts: Hosts,
    /// The origins of signers, at most 16, whose pages may send requests.
    #[serde(default)]
    pub signers: Origins,
    /// The listener for the tailnet; none without access from the tailnet.
    pub edge: Option<EdgeListener>,
}

/// A loopback address.
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
    /// Creates a listener on `listen` for `sidecar`.
    ///
    /// # Errors
    /// [`Invalid`] if an address is a loopback or wildcard address, or if both are equal or of different IP versions.
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

    pub(crate) const fn entrance(self) -> Entrance {
        Entrance::edge(self.listen, self.sidecar)
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

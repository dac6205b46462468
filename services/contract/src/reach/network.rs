//! The addresses that nothing is sent to, and the networks that a contract opens by name.
//!
//! The tables follow the special-purpose registries of IANA (RFC 6890 and later) and add what they leave out: multicast,
//! reserved and retired blocks, relays whose far end is another address, and the metadata services of clouds. Of IPv6,
//! only 2000::/3 is assigned to hosts of the Internet at all.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The smallest prefix of a network that a contract may name.
const PREFIX_MIN: u8 = 8;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = first;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// IPv4 networks without hosts of the Internet.
const CLOSED_V4: [(Ipv4Net, &str); 19] = [
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by carriers and tailnets"),
    (v4(127, 0, 0, 0, 8), "this machine"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "for protocols"),
    (v4(192, 0, 2, 0, 24), "for documents"),
    (v4(192, 31, 196, 0, 24), "for AS112"),
    (v4(192, 52, 193, 0, 24), "for AMT"),
    (v4(192, 88, 99, 0, 24), "a retired relay of 6to4"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(192, 175, 48, 0, 24), "for AS112"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documents"),
    (v4(203, 0, 113, 0, 24), "for documents"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
    (v4(168, 63, 129, 16, 32), "the metadata of a cloud"),
];

/// The part of IPv6 that hosts of the Internet have addresses in.
const OPEN_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);
/// IPv4 addresses behind a translator (RFC 6052).
const TRANSLATED: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);
/// Networks of [`OPEN_V6`] without hosts of the Internet.
const CLOSED_V6: [(Ipv6Net, &str); 6] = [
    (v6([0x2001, 0, 0, 0], 23), "for protocols and tunnels"),
    (v6([0x2001, 0xdb8, 0, 0], 32), "for documents"),
    (
        v6([0x2002, 0, 0, 0], 16),
        "6to4, which holds an IPv4 address",
    ),
    (v6([0x2620, 0x4f, 0x8000, 0], 48), "for AS112"),
    (v6([0x3ffe, 0, 0, 0], 16), "a retired test network"),
    (v6([0x3fff, 0, 0, 0], 20), "for documents"),
];

/// Addresses at which clouds give out credentials: only a contract that names the very address opens one.
const METADATA: [IpAddr; 9] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// A network that a contract names: its hosts may be in it, although nothing is sent there otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network(IpNet);

/// The reason that a text is no such network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address with a prefix.
    #[error("a network is an address, a slash and the length of its prefix")]
    NoNetwork,
    /// Bits behind the prefix, or another spelling.
    #[error("a network is written with its first address, in the short form")]
    Spelling,
    /// A prefix that opens too much.
    #[error("it is larger than /{PREFIX_MIN}")]
    Large,
    /// Nothing in it is closed.
    #[error("all of it is of the Internet, so nothing in it has to be opened")]
    Open,
}

/// An address that nothing is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the address {address} is {kind}, and the contract does not name its network in `networks`"
)]
pub struct RefusedAddress {
    /// The address.
    pub address: IpAddr,
    /// The kind of its network.
    pub kind: &'static str,
}

impl Network {
    fn opens(self, address: IpAddr) -> bool {
        let is_single = self.0.prefix_len() == self.0.max_prefix_len();
        self.0.contains(&address) && (is_single || !METADATA.contains(&address))
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network: IpNet = text.parse().map_err(|_| NetworkError::NoNetwork)?;
        if network.trunc() != network || network.to_string() != text {
            return Err(NetworkError::Spelling);
        }
        if network.prefix_len() < PREFIX_MIN {
            return Err(NetworkError::Large);
        }
        if !has_closed(&network) {
            return Err(NetworkError::Open);
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns true if a part of the network is closed.
fn has_closed(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => CLOSED_V4
            .iter()
            .any(|(closed, _)| closed.contains(network) || network.contains(closed)),
        IpNet::V6(network) => {
            let mut closed = CLOSED_V6.iter().map(|(closed, _)| closed);
            !OPEN_V6.contains(network)
                || closed.any(|closed| closed.contains(network) || network.contains(closed))
        }
    }
}

/// Checks that something may be sent to `address`: a host of the Internet can have it, or a named network holds it.
///
/// # Errors
/// Returns the kind of its network otherwise.
pub fn admit(address: IpAddr, named: &[Network]) -> Result<(), RefusedAddress> {
    match closed(address) {
        Some(_) if named.iter().any(|network| network.opens(address)) => Ok(()),
        Some(kind) => Err(RefusedAddress { address, kind }),
        None => Ok(()),
    }
}

/// Returns the kind of network of an address that no host of the Internet has.
fn closed(address: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&address) {
        return Some("the metadata of a cloud");
    }
    match address {
        IpAddr::V4(address) => closed_v4(address),
        IpAddr::V6(address) if TRANSLATED.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            closed(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(address) if !OPEN_V6.contains(&address) => {
            Some("outside of the addresses of the Internet")
        }
        IpAddr::V6(address) => {
            let mut networks = CLOSED_V6.iter();
            let found = networks.find(|(network, _)| network.contains(&address));
            found.map(|(_, kind)| *kind)
        }
    }
}

fn closed_v4(address: Ipv4Addr) -> Option<&'static str> {
    let mut networks = CLOSED_V4.iter();
    let found = networks.find(|(network, _)| network.contains(&address));
    found.map(|(_, kind)| *kind)
}

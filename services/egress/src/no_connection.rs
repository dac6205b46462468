//! The reasons that there is no connection: to an address, or by a proxy to a host.

use std::net::{IpAddr, SocketAddr};

/// The reason that no address was connected to.
#[derive(Debug, thiserror::Error)]
pub enum NoConnection {
    /// None of them answered.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The connection leads elsewhere than it was made to.
    #[error("the connection to {wanted} has the other end {found:?}")]
    Peer {
        /// The checked address.
        wanted: SocketAddr,
        /// The other end.
        found: Option<SocketAddr>,
    },
}

/// The reason that a proxy made no connection to a host.
#[derive(Debug, thiserror::Error)]
pub enum NoTunnel {
    /// Its name has no address.
    #[error("its name could not be resolved: {0}")]
    Resolve(String),
    /// It has an address that nothing is sent to.
    #[error(
        "its address {address} is {kind}; if it is the right one, name its network in `networks` of `[service.proxy]`"
    )]
    Address {
        /// The address.
        address: IpAddr,
        /// The kind of its network.
        kind: &'static str,
    },
    /// It does not answer.
    #[error("it does not answer: {0}")]
    Connect(#[from] NoConnection),
    /// TLS failed.
    #[error("it could not prove its name: {0}")]
    Tls(String),
    /// The code 407.
    #[error(
        "it asks for credentials, or does not accept those of egress (407); set `credentials_file` of `[service.proxy]`"
    )]
    Credentials,
    /// The code 403.
    #[error("it does not permit {0} (403); ask whoever runs it to permit it")]
    Forbidden(String),
    /// A code that says that it could not reach the host.
    #[error("it could not reach {target}: it answered with the code {code}")]
    Gateway {
        /// The code.
        code: u16,
        /// The host as it was named to the proxy.
        target: String,
    },
    /// Another code.
    #[error("it answered with the code {0}")]
    Code(u16),
    /// It does not speak HTTP, or broke the connection off.
    #[error("it broke the connection off, or does not speak HTTP: {0}")]
    Protocol(String),
    /// Bytes that no host can have sent.
    #[error("it sent something before the host was asked")]
    Early,
}

impl NoTunnel {
    /// Returns true if the same connection may succeed later.
    pub(crate) const fn passes(&self) -> bool {
        match self {
            Self::Resolve(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Gateway { .. }
            | Self::Protocol(_) => true,
            Self::Address { .. }
            | Self::Credentials
            | Self::Forbidden(_)
            | Self::Code(_)
            | Self::Early => false,
        }
    }
}

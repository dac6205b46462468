//! The listeners: the loopback, and the edge network, where only the sidecar may connect.

use std::net::{IpAddr, SocketAddr};

use crate::hosts::Hosts;

/// A listener's address and the peers that may connect to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entrance {
    listen: SocketAddr,
    sidecar: Option<IpAddr>,
}

impl Entrance {
    /// The listener for programs of this machine.
    #[must_use]
    pub const fn loopback(listen: SocketAddr) -> Self {
        Self {
            listen,
            sidecar: None,
        }
    }

    /// The listener for the tailnet: only `sidecar` may connect, and every request names its sender.
    #[must_use]
    pub const fn edge(listen: SocketAddr, sidecar: IpAddr) -> Self {
        Self {
            listen,
            sidecar: Some(sidecar),
        }
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.listen
    }

    /// Returns true if the sidecar is in front of it.
    #[must_use]
    pub const fn is_edge(self) -> bool {
        self.sidecar.is_some()
    }

    /// Returns true if `peer` may connect.
    pub(crate) fn admits(self, peer: IpAddr) -> bool {
        self.sidecar
            .is_none_or(|sidecar| sidecar == peer.to_canonical())
    }

    /// Returns true if `host` names this gateway: one of `names`, and on the loopback also the
    /// address itself.
    pub(crate) fn is_named(self, host: &str, names: &Hosts) -> bool {
        names.contains(host) || (!self.is_edge() && host == self.listen.to_string())
    }

    /// Returns true if `origin` is that of a signer.
    pub(crate) fn is_signer(self, origin: &str, names: &Hosts) -> bool {
        names.is_signer(origin) && (!self.is_edge() || origin.starts_with("https://"))
    }

    /// The origin of the signer to which pages of this entrance lead; none without one.
    pub(crate) fn signer(self, names: &Hosts) -> Option<&str> {
        let mut signers = names.signers();
        signers.find(|origin| self.is_signer(origin, names))
    }

    /// Returns true if `origin` is this gateway itself.
    pub(crate) fn is_own(self, origin: &str, names: &Hosts) -> bool {
        let host = match origin.strip_prefix("https://") {
            Some(host) => Some(host),
            None if self.is_edge() => None,
            None => origin.strip_prefix("http://"),
        };
        host.is_some_and(|host| self.is_named(host, names))
    }
}

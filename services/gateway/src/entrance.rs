//! The doors that requests come through: the loopback, and the edge network, where the sidecar alone may knock.

use std::net::{IpAddr, SocketAddr};

use crate::hosts::Hosts;

/// Where a listener listens, and who may connect to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entrance {
    listen: SocketAddr,
    sidecar: Option<IpAddr>,
}

impl Entrance {
    /// The one for programs of this machine.
    #[must_use]
    pub const fn loopback(listen: SocketAddr) -> Self {
        Self {
            listen,
            sidecar: None,
        }
    }

    /// The one for the tailnet: only `sidecar` may connect, and every request says who sent it.
    #[must_use]
    pub const fn edge(listen: SocketAddr, sidecar: IpAddr) -> Self {
        Self {
            listen,
            sidecar: Some(sidecar),
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.listen
    }

    /// Whether the sidecar stands in front of it.
    #[must_use]
    pub const fn is_edge(self) -> bool {
        self.sidecar.is_some()
    }

    /// Whether connections from there are taken.
    pub(crate) fn admits(self, peer: IpAddr) -> bool {
        self.sidecar
            .is_none_or(|sidecar| sidecar == peer.to_canonical())
    }

    /// Whether `host` is what requests through this door are for: one of the names, and on the loopback also the
    /// address itself.
    pub(crate) fn is_named(self, host: &str, names: &Hosts) -> bool {
        names.contains(host) || (!self.is_edge() && host == self.listen.to_string())
    }

    /// Whether `origin` is a page of this gateway itself.
    pub(crate) fn is_own(self, origin: &str, names: &Hosts) -> bool {
        let host = match origin.strip_prefix("https://") {
            Some(host) => Some(host),
            None if self.is_edge() => None,
            None => origin.strip_prefix("http://"),
        };
        host.is_some_and(|host| self.is_named(host, names))
    }
}

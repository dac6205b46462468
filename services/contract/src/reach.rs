//! The reach of a contract: the hosts that its calls may send to, and the networks in which these may be.

use bus_schema::Envelope;

mod endpoint;
mod network;
mod strict_url;

pub use endpoint::{Endpoint, EndpointError};
pub use network::{Network, NetworkError, RefusedAddress, admit};
pub use strict_url::{StrictUrl, UrlError};

pub use strict_url::PathFault;
pub(crate) use strict_url::path_fault;

/// The hosts that calls may send to, and the networks in which these may be besides the Internet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The hosts, sorted, each once.
    pub hosts: Vec<Endpoint>,
    /// The networks, sorted, each once.
    pub networks: Vec<Network>,
}

impl Reach {
    /// Reads the reach of an envelope; a text that is no host or no network opens nothing.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        Self::read(&envelope.hosts, &envelope.networks)
    }

    /// Reads the texts of hosts and networks, as [`Reach::of`] does.
    #[must_use]
    pub fn read(hosts: &[String], networks: &[String]) -> Self {
        let hosts = hosts.iter().filter_map(|host| host.parse().ok());
        let networks = networks.iter();
        let networks = networks.filter_map(|network| network.parse().ok());
        Self {
            hosts: hosts.collect(),
            networks: networks.collect(),
        }
    }
}

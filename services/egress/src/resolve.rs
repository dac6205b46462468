//! Resolves names to addresses, with the name servers of the configuration and nothing else.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use domain::base::Name;
use domain::resolv::StubResolver;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};

use crate::fault::Fault;

/// The time after which a name server counts as silent.
const ANSWER: Duration = Duration::from_secs(2);
/// Most addresses of one name.
const ADDRESSES_MAX: usize = 32;
/// The port of name servers.
const PORT: u16 = 53;

/// The name servers.
#[derive(Debug)]
pub struct Resolver(Option<StubResolver>);

impl Resolver {
    /// Makes one that asks these servers; without any, no name can be resolved.
    #[must_use]
    pub fn new(servers: &[SocketAddr]) -> Self {
        if servers.is_empty() {
            return Self(None);
        }
        let mut conf = ResolvConf::new();
        conf.options.timeout = ANSWER;
        let servers = servers.iter();
        conf.servers = servers
            .map(|server| ServerConf::new(*server, Transport::UdpTcp))
            .collect();
        conf.finalize();
        Self(Some(StubResolver::from_conf(conf)))
    }

    /// Returns true if there is a name server.
    #[must_use]
    pub const fn has_servers(&self) -> bool {
        self.0.is_some()
    }

    /// Returns all addresses of a name, in no order of preference.
    ///
    /// # Errors
    /// [`Fault`] if there are none.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        let resolver = self.0.as_ref().ok_or(Fault::NoNameServer)?;
        let failed = |why: String| Fault::Resolve {
            host: host.to_owned(),
            why,
        };
        let name: Name<Vec<u8>> = host
            .parse()
            .map_err(|_| failed("it is too long for a name".to_owned()))?;
        let found = resolver.lookup_host(&name).await;
        let found = found.map_err(|error| failed(error.to_string()))?;
        let addresses: BTreeSet<IpAddr> = found.iter().take(ADDRESSES_MAX).collect();
        if addresses.is_empty() {
            return Err(Fault::NoAddress(host.to_owned()));
        }
        Ok(addresses.into_iter().collect())
    }
}

/// Reads the name servers of a file in the form of `/etc/resolv.conf`; empty if it cannot be read. Nothing else in it
/// counts.
pub(crate) fn name_servers(file: &Path) -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let servers = text.lines().filter_map(|line| {
        let address = line.strip_prefix("nameserver")?.trim();
        let address: IpAddr = address.parse().ok()?;
        Some(SocketAddr::new(address, PORT))
    });
    servers.collect()
}

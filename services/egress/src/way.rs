//! Opens the way to a host: to a checked address, directly or through the proxy.

use std::net::IpAddr;
use std::time::Duration;

use contract::{Endpoint, Reach};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::dial::{Checked, alternating, connect};
use crate::fault::{Fault, Phase};
use crate::no_connection::NoTunnel;
use crate::proxy::{Place, Proxy};
use crate::send::{Sender, within};

/// The longest resolution of a name.
const RESOLVE: Duration = Duration::from_secs(6);
/// The longest connection, over all addresses.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest connection through a proxy: to it, and from it to the host, over all addresses.
const PROXY: Duration = Duration::from_secs(20);

/// A connection, whichever way it leads.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A connection to a host that has proved nothing.
pub(crate) type Way = Box<dyn Duplex>;

impl Sender {
    /// Connects to a host.
    ///
    /// # Errors
    /// [`Fault`]
    pub(crate) async fn way(&self, endpoint: &Endpoint, reach: &Reach) -> Result<Way, Fault> {
        let Some(proxy) = &self.proxy else {
            let checked = self.checked(endpoint, reach).await?;
            let connected = async {
                let stream = connect(&checked).await;
                stream.map_err(|why| Fault::Connect(endpoint.clone(), why))
            };
            return Ok(Box::new(within(Phase::Connect, CONNECT, connected).await?));
        };
        let targets = if proxy.resolves() {
            vec![format!("{}:{}", endpoint.host(), endpoint.port())]
        } else {
            let checked = self.checked(endpoint, reach).await?;
            let checked = alternating(&checked).into_iter();
            checked.map(|to| to.address().to_string()).collect()
        };
        let connected = async {
            let way = self.through(proxy, &targets).await;
            way.map_err(|why| Fault::Proxy {
                proxy: proxy.to_string(),
                host: endpoint.clone(),
                why,
            })
        };
        within(Phase::Proxy, PROXY, connected).await
    }

    /// Resolves a host, and checks all of its addresses.
    async fn checked(&self, endpoint: &Endpoint, reach: &Reach) -> Result<Vec<Checked>, Fault> {
        let found = self.resolver.addresses(endpoint.host());
        let found = within(Phase::Resolve, RESOLVE, found).await?;
        Checked::all(endpoint, &found, reach)
    }

    /// Has the proxy connect to the first of these targets that it reaches.
    async fn through(&self, proxy: &Proxy, targets: &[String]) -> Result<Way, NoTunnel> {
        let mut targets = targets.iter().peekable();
        while let Some(target) = targets.next() {
            let stream = self.to_proxy(proxy).await?;
            match proxy.tunnel(stream, target).await {
                Err(NoTunnel::Gateway { .. }) if targets.peek().is_some() => {}
                ended => return ended,
            }
        }
        Err(NoTunnel::Resolve("the host has no address".to_owned()))
    }

    /// Connects to the proxy.
    async fn to_proxy(&self, proxy: &Proxy) -> Result<Way, NoTunnel> {
        let (name, port, addresses) = match proxy.place() {
            Place::Address(address) => {
                let ip = address.ip();
                (ip.to_string(), address.port(), vec![ip])
            }
            Place::Name(endpoint) => {
                let found = self.resolver.addresses(endpoint.host()).await;
                let found = found.map_err(|why| NoTunnel::Resolve(why.to_string()))?;
                (endpoint.host().to_owned(), endpoint.port(), found)
            }
        };
        let check = |address: IpAddr| {
            let checked = Checked::new(address, port, proxy.reach());
            checked.map_err(|refused| NoTunnel::Address {
                address,
                kind: refused.kind,
            })
        };
        let checked: Vec<Checked> = addresses.into_iter().map(check).collect::<Result<_, _>>()?;
        let stream = connect(&checked).await?;
        if !proxy.is_secure() {
            return Ok(Box::new(stream));
        }
        let proved = self.trust.proxy_handshake(&name, stream).await;
        Ok(Box::new(proved.map_err(NoTunnel::Tls)?))
    }

    /// Connects to the proxy and leaves it again, to see whether it answers.
    ///
    /// # Errors
    /// Returns the reason that it does not, with what to do.
    pub async fn probe(&self) -> Result<(), String> {
        let Some(proxy) = &self.proxy else {
            return Ok(());
        };
        let late = |_| format!("it took longer than {} ms", CONNECT.as_millis());
        let answered = tokio::time::timeout(CONNECT, self.to_proxy(proxy)).await;
        let answered = answered.map_err(late);
        let why = match answered {
            Ok(Ok(_way)) => return Ok(()),
            Ok(Err(why)) => why.to_string(),
            Err(late) => late,
        };
        Err(format!(
            "the proxy {proxy} cannot be used: {why}; start it, or change `[service.proxy]` of egress"
        ))
    }
}

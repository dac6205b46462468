//! Connects to checked addresses only.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use contract::{Endpoint, Reach, RefusedAddress, admit};
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, future};
use tokio::net::TcpStream;

use crate::fault::Fault;
use crate::no_connection::NoConnection;

/// The pause after which the next address is tried as well.
const STAGGER: Duration = Duration::from_millis(250);

/// An address that the contract permits to send to; nothing else is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked(SocketAddr);

impl Checked {
    /// Checks an address.
    ///
    /// # Errors
    /// Returns the reason if nothing may be sent to it.
    pub fn new(address: IpAddr, port: u16, reach: &Reach) -> Result<Self, RefusedAddress> {
        admit(address, &reach.networks)?;
        Ok(Self(SocketAddr::new(address, port)))
    }

    /// The address with its port.
    pub(crate) const fn address(self) -> SocketAddr {
        self.0
    }

    /// Checks all addresses of a host: one that is refused refuses the host, because the next answer of its name server
    /// could have that one alone.
    pub(crate) fn all(
        endpoint: &Endpoint,
        addresses: &[IpAddr],
        reach: &Reach,
    ) -> Result<Vec<Self>, Fault> {
        let checked = addresses
            .iter()
            .map(|address| Self::new(*address, endpoint.port(), reach));
        checked
            .collect::<Result<_, _>>()
            .map_err(|refused| Fault::Address {
                host: endpoint.host().to_owned(),
                refused,
            })
    }
}

/// Connects to the first of these addresses that answers, each tried while those before it still are.
pub(crate) async fn connect(to: &[Checked]) -> Result<TcpStream, NoConnection> {
    let none = || std::io::Error::other("there is no address");
    let (mut attempts, mut last) = (FuturesUnordered::new(), None);
    let mut left = alternating(to).into_iter();
    let mut next = left.next();
    loop {
        if let Some(Checked(address)) = next.take() {
            attempts.push(async move { (address, TcpStream::connect(address).await) });
        }
        let pause = async {
            match left.len() {
                0 => future::pending().await,
                _ => tokio::time::sleep(STAGGER).await,
            }
        };
        let ended = tokio::select! {
            ended = attempts.next() => ended,
            () = pause => {
                next = left.next();
                continue;
            }
        };
        match ended {
            Some((address, Ok(stream))) => return reached(address, stream),
            Some((_, Err(error))) => {
                last = Some(error);
                next = left.next();
            }
            None => {
                let why = last.take().unwrap_or_else(none);
                return Err(why.into());
            }
        }
    }
}

/// Compares the other end with the address that was checked.
fn reached(wanted: SocketAddr, stream: TcpStream) -> Result<TcpStream, NoConnection> {
    let found = stream.peer_addr().ok();
    if found != Some(wanted) {
        return Err(NoConnection::Peer { wanted, found });
    }
    // Requests are written at once.
    stream.set_nodelay(true).ok();
    Ok(stream)
}

/// Orders addresses so that both families take turns, version 6 first.
pub(crate) fn alternating(to: &[Checked]) -> Vec<Checked> {
    let of = |six: bool| to.iter().filter(move |Checked(to)| to.is_ipv6() == six);
    let (mut six, mut four) = (of(true), of(false));
    let mut ordered = Vec::with_capacity(to.len());
    while ordered.len() < to.len() {
        ordered.extend(six.next().into_iter().chain(four.next()));
    }
    ordered
}

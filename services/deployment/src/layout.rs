//! Addresses and paths in the containers of a deployment.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// The folder that holds the deployment in every container.
pub const INSIDE: &str = "/contractual";
/// The folder that tools work in, as the runner sees it.
pub const WORKSPACE: &str = "/workspace";
/// The server's name on every actor's network, as its certificate has it.
pub const BUS_URL: &str = "tls://nats:4222";
/// Where the server listens: on each of its networks, which hold one actor each.
pub const BUS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 4222));
/// Where the gateway listens for who comes through `docker exec`.
pub const GATEWAY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
/// Where it listens for the sidecar: their static addresses on `edge`.
pub(crate) const EDGE: &str =
    "\n[service.edge]\nlisten = \"10.89.1.2:8080\"\nsidecar = \"10.89.1.3\"\n";
/// Where `contractual relay` listens for the bus, and the contexts of the `nats` command line look for it.
pub const RELAYED: u16 = 4222;
/// The server's address for the `nats` command line.
pub(crate) const RELAYED_URL: &str = "tls://127.0.0.1:4222";
/// Programs get their temporary folders in memory, of bounded size.
pub(crate) const SCRATCH: &str = "scratch = \"/scratch\"\n";
/// Less than the shipped container gives, and a service does not work.
pub(crate) const HARDENING: &str = "[hardening]\nprofile = \"container\"\n\n";
/// What the container's health check asks; nothing outside the container reaches it.
pub(crate) const MONITOR: &str = "http: \"127.0.0.1:8222\"\n";

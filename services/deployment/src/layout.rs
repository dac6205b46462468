//! The addresses and paths in the containers of a deployment.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// The folder that holds the deployment in every container.
pub const INSIDE: &str = "/contractual";
/// The workspace of the tools, in the runner's container.
pub const WORKSPACE: &str = "/workspace";
/// The server's URL on every actor's network, with the name in its certificate.
pub const BUS_URL: &str = "tls://nats:4222";
/// The server's listen address: all of its networks, each with one actor.
pub const BUS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 4222));
/// The gateway's listen address for connections through `docker exec`.
pub const GATEWAY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
/// The gateway's configuration of the edge: the static addresses of gateway and sidecar on `edge`.
pub(crate) const EDGE: &str =
    "\n[service.edge]\nlisten = \"10.89.1.2:8080\"\nsidecar = \"10.89.1.3\"\n";
/// The signer's listen address: its static address on `sign`, which holds only signer and sidecar.
pub(crate) const SIGNER: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(10, 89, 1, 90), 8080));
/// The port on which `contractual port-forward` listens for the bus; the contexts of the `nats` command line use it.
pub const RELAYED: u16 = 4222;
/// The server's address for the `nats` command line.
pub(crate) const RELAYED_URL: &str = "tls://127.0.0.1:4222";
/// The file of the private key that opens secrets, in the folders of broker and egress.
pub(crate) const SEALING_KEY: &str = "sealing.key";
/// The runner's setting for temporary folders in memory, of limited size.
pub(crate) const SCRATCH: &str = "scratch = \"/scratch\"\n";
/// The hardening profile for services in the shipped containers.
pub(crate) const HARDENING: &str = "[hardening]\nprofile = \"container\"\n\n";
/// The monitoring port for the container's health check, reachable only inside the container.
pub(crate) const MONITOR: &str = "http: \"127.0.0.1:8222\"\n";

#![doc = include_str!("../README.md")]

mod answer;
mod connection;
mod credential;
mod decoded;
mod device;
mod dial;
mod download;
mod events;
mod fault;
mod http2;
mod intake;
mod live;
mod no_connection;
mod no_token;
mod no_vault;
mod outgoing;
mod paged;
mod parts;
mod polling;
mod portions;
mod proxy;
mod release;
mod resolve;
mod send;
mod service;
mod spool;
mod tls;
mod tokens;
mod vault;
mod way;

pub use answer::Output;
pub use credential::Credential;
pub use device::{DeviceCode, DeviceLogin, NoLogin};
pub use dial::Checked;
pub use download::Downloaded;
pub use fault::{Fault, Phase};
pub use live::Pieces;
pub use no_connection::{NoConnection, NoTunnel};
pub use no_token::NoToken;
pub use no_vault::NoVault;
pub use proxy::{Proxy, ProxyConfig, ProxyError};
pub use release::{NoCredential, Opened};
pub use resolve::Resolver;
pub use send::{Call, Sender};
pub use service::{Config, Egress};
pub use tls::{Trust, TrustError};
pub use tokens::Tokens;

/// Egress without its I/O.
pub type EgressCore = executor::ExecutorCore<Egress>;
/// Egress as a service.
pub type EgressService = executor::ExecutorService<Egress>;

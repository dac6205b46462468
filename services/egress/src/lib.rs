#![doc = include_str!("../README.md")]

mod answer;
mod connection;
mod credential;
mod decoded;
mod dial;
mod events;
mod fault;
mod intake;
mod live;
mod no_token;
mod outgoing;
mod parts;
mod release;
mod resolve;
mod send;
mod service;
mod tls;
mod tokens;

pub use answer::Output;
pub use credential::Credential;
pub use dial::Checked;
pub use fault::{Fault, Phase};
pub use live::Pieces;
pub use no_token::NoToken;
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

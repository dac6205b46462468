#![doc = include_str!("../README.md")]

mod asked;
mod core;
mod effect;
mod judge;
mod sealed;
mod service;
mod state;

pub use crate::core::BrokerCore;
pub use effect::{Effect, Input, Renewal, Reply, open, renewal, tools};
pub use sealed::{SealedSecret, Stored, stored};
pub use service::{BrokerService, Config};
pub use state::State;

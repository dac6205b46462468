#![doc = include_str!("../README.md")]

mod asked;
mod core;
mod effect;
mod judge;
mod service;
mod state;

pub use crate::core::BrokerCore;
pub use effect::{Effect, Input, Renewal, Reply, Stored, open, renewal, stored, tools};
pub use service::{BrokerService, Config};
pub use state::State;

#![doc = include_str!("../README.md")]

mod core;
mod done;
mod effect;
mod execute;
mod execution;
mod folded;
mod halt;
mod installed;
mod service;
mod state;
mod stops;

pub use crate::core::ExecutorCore;
pub use done::{Done, error_text, output_bytes_max};
pub use effect::{Effect, Input};
pub use execute::{Execute, Troubles};
pub use execution::Execution;
pub use folded::Folded;
pub use installed::Installed;
pub use service::{ExecutorService, main};
pub use state::{Gate, Granted, Started, State};
pub use stops::Stops;

#![doc = include_str!("../README.md")]

mod answers;
mod core;
mod decide;
mod decision_time;
mod document;
mod fetch;
mod filled;
mod history;
mod parts;
mod replay;
mod runs;
mod service;
mod state;
mod tools;

pub use core::PolicyCore;
pub use fetch::{CallPart, Fetch, Fetched, Place};
pub use replay::{Allowed, Compared, RecordedVerdict, Redecided, Replay, Step};
pub use service::{Config, Policy};
pub use state::{APPROVALS_REFUSED_MAX, State};

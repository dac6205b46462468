#![doc = include_str!("../README.md")]

pub mod check;
mod checkpoint;
mod core;
mod disk;
mod edge;
mod entry;
mod error;
mod layout;
mod limits;
mod log;
mod peek;
mod places;
mod recovery;
mod repair;
mod service;
mod store;
mod verify;

pub use checkpoint::{Checkpoint, Origin};
pub use core::{
    AuditCore, CHECKPOINT_EVERY_MS, Effect, Input, STORE_AT, State, WAITING_BYTES_MAX, WAITING_MAX,
};
#[cfg(feature = "steps")]
pub use disk::steps;
pub use entry::{Entry, GENESIS_SUBJECT, Junk, MAX_SUBJECT_BYTES, Verdict, leaf_hash};
pub use error::{Bad, Error, Place, Problem, Refused};
pub use limits::{MAX_ENTRY_BYTES, MAX_NOTE_BYTES, MAX_SIZE};
pub use log::{Agreed, ConsistencyProof, InclusionProof, Leaves, Log, MAX_BATCH, View};
pub use places::Places;
pub use recovery::Broken;
pub use service::{Audit, Config};
pub use verify::{MAX_PROOF_HASHES, Report, verify, verify_consistency, verify_inclusion};

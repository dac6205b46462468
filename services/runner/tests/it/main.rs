//! Tests the runner from outside, against the real kernel.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails ends its test"
)]

mod bounds;
mod call;
mod catalogue;
mod common;
mod config;
mod contracts;
mod core;
mod devices;
mod diff;
mod digest_cache;
mod disk;
mod doubt;
mod escape;
#[path = "../../../../tests/executable.rs"]
mod executable;
mod execution;
mod files;
mod folders;
mod jobs;
mod leaks;
mod listing;
mod machine_code;
mod mcp;
mod paths;
mod pin;
mod query;
mod read_folders;
mod refuse;
mod relocate;
mod replaced;
mod search;
mod served;
mod shelf;
mod shelf_git;
mod signed;
mod stream;
mod template;
mod trial;
mod unprivileged;
mod watched;

//! Tests the whole system from outside: real server, real processes, real keys.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot have ends it"
)]

mod cli;
mod confined;
mod contract_commands;
mod contracts;
mod demo;
mod door;
mod hardening;
mod heads;
mod kill;
mod nats_cli;
mod path;
mod permissions;
mod projections;
mod reflect;
mod renewal;
mod replay;
mod rollback;
mod scene;
mod secrets;
mod skew;
mod stolen;
mod tamper;
mod together;
mod twins;
mod versions;

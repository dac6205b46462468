//! Tests of the search for nats-server, the certificates, the processes, and the files for the tailnet.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../../tests/executable.rs"]
mod executable;
mod find;
mod fleet;
mod pki;
mod tailnet;

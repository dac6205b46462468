//! Tests of what the command line does on the machine: making and keeping deployments, finding
//! nats-server, making certificates, checking what ships for the tailnet.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deployment;
#[path = "../../../../tests/executable.rs"]
mod executable;
mod help;

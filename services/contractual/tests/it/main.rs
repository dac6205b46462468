//! Tests of what the command line does on the machine: finding nats-server, making certificates, checking what ships for the tailnet.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod find;
mod fleet;
mod help;
mod pki;
mod tailnet;

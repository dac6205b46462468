//! Tests of what a deployment is on the machine: finding nats-server, making certificates, what ships for the tailnet.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod find;
mod fleet;
mod pki;
mod tailnet;

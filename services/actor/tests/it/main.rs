//! The integration tests of the shared library of actors.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod doubt;
mod files;
mod hardening;
mod keys;
mod ledger;
mod stopping;
mod time;

//! Tests of what the shared library keeps on disk and shows to people.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod doubt;
mod files;
mod hardening;
mod keys;
mod ledger;
mod stopping;
mod time;

//! Tests of the access from a tailnet, with Tailscale's own programs; README.md beside this file lists the differences.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot have ends it"
)]

#[path = "../executable.rs"]
mod executable;
mod isolated;
mod reached;
mod set_up;
mod sidecar;
mod tailnet;

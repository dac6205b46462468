//! The files in `tailscale/` and the sidecar: the rules for both files, and the sidecar's status.

pub mod policy;
pub mod serve;
pub mod sidecar;

/// The reason why a file is invalid, or why the sidecar does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

/// The sidecar's tag.
pub const TAG: &str = "tag:contractual";
/// The sidecar's port that leads to the gateway.
pub const PORT: u16 = 443;
/// The sidecar's port that leads to the signer.
pub const SIGNER_PORT: u16 = 8443;
/// The sidecar's only reachable ports.
pub const PORTS: [u16; 2] = [PORT, SIGNER_PORT];

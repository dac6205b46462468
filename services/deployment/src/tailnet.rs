//! What ships in `tailscale/`, and the sidecar that uses it: the rules for both files, and what the sidecar says of itself.

pub mod policy;
pub mod serve;
pub mod sidecar;

/// Why a file is not what may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

/// The sidecar's tag.
pub const TAG: &str = "tag:contractual";
/// The one port of the sidecar that anybody may reach.
pub const PORT: u16 = 443;

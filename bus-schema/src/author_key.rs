//! The keys that a roster names.

use serde::{Deserialize, Serialize};

use crate::{AuthorId, PublicKey, SealingPublicKey};

/// A key that signs for an author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorKey {
    /// The author.
    pub author: AuthorId,
    /// The key.
    pub key: PublicKey,
}

/// A key that secrets are sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorSealingKey {
    /// The author that opens the seals.
    pub author: AuthorId,
    /// The key.
    pub key: SealingPublicKey,
}

//! A download: a file that an answer was, in contents of its own, as the output of the call names it.

use serde::{Deserialize, Serialize};

use crate::{CONTENT_BYTES_MAX, Content, Digest};

/// Most bytes of one download: 1 GiB, an eighth of what `BLOBS` holds.
pub const DOWNLOAD_BYTES_MAX: u64 = 1 << 30;
/// Most parts of one download.
const PARTS_MAX: u64 = DOWNLOAD_BYTES_MAX / CONTENT_BYTES_MAX as u64;

/// A file in parts, of an author that the outcome names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// Its size in bytes.
    pub bytes: u64,
    /// The media type that the host says, such as `application/pdf`; none if it says none.
    pub media_type: Option<String>,
    /// The name that the host proposes: one name without a path; none if it proposes none.
    pub name: Option<String>,
    /// Its parts in their order, all but the last of the largest size of a content.
    pub parts: Vec<Content>,
    /// SHA-256 of the whole.
    pub sha256: Digest,
}

impl Download {
    /// Returns true if the parts have the size of the whole, and are not too many.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let bytes: u64 = self.parts.iter().map(|part| u64::from(part.len())).sum();
        self.parts.len() as u64 <= PARTS_MAX && bytes == self.bytes
    }
}

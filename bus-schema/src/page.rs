//! The questions and answers of the calls for pages: a page, and the moment at which pages change.

use serde::{Deserialize, Serialize};

/// Most bytes of a page: with its envelope it fits into one message of the server, which has at most 1 MB.
pub const PAGE_BYTES_MAX: usize = 512 << 10;
/// Most bytes of the path of a page, and of its query.
pub const PATH_BYTES_MAX: usize = 512;

/// Requests a page. The gateway has checked that its reader may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowPage {
    /// The path, such as `/tasks`; at most [`PATH_BYTES_MAX`].
    pub path: String,
    /// The query without `?`; empty without one; at most [`PATH_BYTES_MAX`].
    pub query: String,
    /// The validator of the page that the reader has.
    pub known: Option<String>,
    /// The origin of the signer, where a person answers questions; none without one.
    pub signer: Option<String>,
}

/// A page. The gateway alone chooses its type and its headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownPage {
    /// The HTTP status: 200, 304 without a body if the reader has this page, 400 or 404.
    pub status: u16,
    /// The validator: a digest of the body.
    pub validator: String,
    /// HTML, at most [`PAGE_BYTES_MAX`].
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

/// Waits for a fact that pages show, for about two seconds; the answer is the place of the last one in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwaitChange {
    /// The place that the caller knows.
    pub after: u64,
}

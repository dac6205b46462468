//! The reasons that arguments make no request.

use crate::reach::UrlError;

/// The reason that arguments make no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpArgsError {
    /// An argument is missing.
    #[error("the argument `{0}` is missing; send it")]
    Missing(String),
    /// An argument that the tool does not send.
    #[error("the argument `{0}` is not sent by this tool; leave it out")]
    Unknown(String),
    /// A value that is no text, whole number or truth value, where only those can be sent.
    #[error("the argument `{0}` is no text, whole number or truth value; send one of these")]
    Type(String),
    /// A text that is no JSON, where the body has it as JSON.
    #[error("the argument `{0}` is no text of strict JSON, as the body of the request needs it")]
    Json(String),
    /// A value that cannot be one name of a path.
    #[error(
        "the argument `{0}` is empty, `.` or `..`, or has a slash, `\\`, `%`, `;`, `?`, `#` or a control character; it \
         has to be one name of a path"
    )]
    PathName(String),
    /// A value that cannot be the value of a header.
    #[error("the argument `{0}` is not visible ASCII, as the value of a header has to be")]
    Header(String),
    /// A body of more bytes than the tool allows.
    #[error("the body of the request has {bytes} bytes, more than the {max} that the tool allows")]
    Large {
        /// Its bytes.
        bytes: usize,
        /// `request_bytes_max` of the tool.
        max: u64,
    },
    /// The URL is too long.
    #[error(transparent)]
    Url(#[from] UrlError),
}

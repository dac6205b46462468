//! URLs that every program reads alike: the one parser for those that the owner did not write.
//!
//! Two steps: the text is equal, byte for byte, to what the URL standard makes of it, and then it has to have the narrower
//! grammar of this file. The first step alone lets through what other programs read differently.

use std::fmt;

use url::Url;

use super::endpoint::{Endpoint, EndpointError};

/// Maximum length of a URL, in bytes.
const URL_BYTES_MAX: usize = 8192;

/// An `https` URL with one reading: endpoint, path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrictUrl {
    endpoint: Endpoint,
    path: String,
    query: Option<String>,
}

/// The reason that a text is no such URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// More bytes than a URL may have.
    #[error("the URL has more than {URL_BYTES_MAX} bytes")]
    Long,
    /// Not a URL at all.
    #[error("{0:?} is no URL; write one such as https://api.example.com/v2/items")]
    NoUrl(String),
    /// Another spelling than the canonical one.
    #[error(
        "{text:?} has another spelling than the one that every program reads alike; write {canonical:?} if that is meant"
    )]
    Spelling {
        /// The text.
        text: String,
        /// The spelling of the URL standard.
        canonical: String,
    },
    /// Another scheme than `https`.
    #[error("the URL begins with `{0}:`; only https:// is sent to")]
    Scheme(String),
    /// A user or a password.
    #[error("the URL has a user or a password before its host; leave it out")]
    User,
    /// A host or port that is not in the one spelling.
    #[error("the host of the URL is wrong: {0}")]
    Host(#[from] EndpointError),
    /// A path that programs read differently.
    #[error("the path of the URL {0}")]
    Path(PathFault),
    /// A query that programs read differently.
    #[error("the query of the URL has a `%` that is not followed by two hexadecimal digits")]
    Query,
    /// A fragment.
    #[error("the URL has a part behind `#`, which is never sent; leave it out")]
    Fragment,
}

/// The reason that programs read a path differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// Two slashes in a row.
    Empty,
    /// `.` or `..`, escaped or not.
    Dots,
    /// `;` or `\`, which some servers read as the end of a name.
    Separator,
    /// An escape that is not two upper-case digits of a byte that needs one.
    Escape,
    /// Escaped bytes that are not UTF-8.
    NotText,
    /// A byte that is neither visible ASCII nor escaped.
    Byte,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "has an empty name between two slashes; leave one out",
            Self::Dots => "has `.` or `..` as a name; write the path that is meant",
            Self::Separator => "has `;` or `\\`, which some servers read as the end of a name; leave it out",
            Self::Escape => {
                "has a `%` that escapes a byte which needs no escape, or may not be escaped, or is not written as two \
                 upper-case hexadecimal digits"
            }
            Self::NotText => "has escapes that are not UTF-8",
            Self::Byte => "has a character that has to be escaped",
        })
    }
}

impl StrictUrl {
    /// Parses a text.
    ///
    /// # Errors
    /// Returns the reason if programs could read it differently.
    pub fn new(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::Long);
        }
        let url = Url::parse(text).map_err(|_| UrlError::NoUrl(text.to_owned()))?;
        if url.as_str() != text {
            return Err(UrlError::Spelling {
                text: text.to_owned(),
                canonical: url.as_str().to_owned(),
            });
        }
        if url.scheme() != "https" {
            return Err(UrlError::Scheme(url.scheme().to_owned()));
        }
        if url.has_authority() && (!url.username().is_empty() || url.password().is_some()) {
            return Err(UrlError::User);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let endpoint = Endpoint::new(url.host_str().unwrap_or_default(), url.port())?;
        path_fault(url.path()).map_err(UrlError::Path)?;
        let query = url.query();
        if !query.is_none_or(is_query) {
            return Err(UrlError::Query);
        }
        Ok(Self {
            endpoint,
            path: url.path().to_owned(),
            query: query.map(str::to_owned),
        })
    }

    /// Parses a reference to another URL: a whole one, a path that begins with a slash, or a query.
    ///
    /// # Errors
    /// Returns the reason if programs could read it differently.
    pub fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let is_path = reference.starts_with('/') && !reference.starts_with("//");
        let text = if is_path {
            format!("https://{}{reference}", self.endpoint)
        } else if reference.starts_with('?') {
            format!("https://{}{}{reference}", self.endpoint, self.path)
        } else {
            reference.to_owned()
        };
        Self::new(&text)
    }

    /// The host and the port.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The path; it begins with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query without its question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Returns true if it is at `endpoint`, and its path begins with `folder`, which ends with a slash.
    #[must_use]
    pub fn is_below(&self, endpoint: &Endpoint, folder: &str) -> bool {
        self.endpoint == *endpoint && folder.ends_with('/') && self.path.starts_with(folder)
    }
}

impl fmt::Display for StrictUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.endpoint, self.path)?;
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// Checks a path that begins with a slash.
///
/// # Errors
/// Returns the reason if programs could read it differently.
pub(crate) fn path_fault(path: &str) -> Result<(), PathFault> {
    let names = path.strip_prefix('/').unwrap_or(path);
    let inner = names.strip_suffix('/').unwrap_or(names);
    if inner.split('/').any(str::is_empty) && !names.is_empty() {
        return Err(PathFault::Empty);
    }
    names.split('/').try_for_each(name_fault)
}

/// Checks one name of a path.
fn name_fault(name: &str) -> Result<(), PathFault> {
    if matches!(name, "." | "..") {
        return Err(PathFault::Dots);
    }
    if name.contains([';', '\\']) {
        return Err(PathFault::Separator);
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            if !byte.is_ascii_graphic() || b"\"<>?#`{}^|".contains(&byte) {
                return Err(PathFault::Byte);
            }
            bytes.push(byte);
            continue;
        }
        let byte = escaped(rest.next(), rest.next()).ok_or(PathFault::Escape)?;
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_plain || byte.is_ascii_control() || b"/\\%;?#".contains(&byte) {
            return Err(PathFault::Escape);
        }
        bytes.push(byte);
    }
    let is_text = std::str::from_utf8(&bytes).is_ok();
    is_text.then_some(()).ok_or(PathFault::NotText)
}

/// Returns the byte of two upper-case hexadecimal digits.
fn escaped(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    };
    Some(digit(high?)? * 16 + digit(low?)?)
}

/// Returns true if each `%` of a query is an escape.
fn is_query(query: &str) -> bool {
    query.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().first_chunk::<2>();
        digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    })
}

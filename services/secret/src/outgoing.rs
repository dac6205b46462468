//! A request as far as a signature covers it, and what a secret adds to it.

use std::fmt;

use bus_schema::Time;
use contract::Method;
use zeroize::Zeroizing;

/// A request as it is sent, before the secret is added.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'r> {
    /// The method.
    pub method: Method,
    /// The header `host`.
    pub host: &'r str,
    /// The path, escaped.
    pub path: &'r str,
    /// The query, escaped.
    pub query: Option<&'r str>,
    /// The header `content-type`.
    pub content_type: Option<&'r str>,
    /// The body; empty if there is none.
    pub body: &'r [u8],
    /// The time of the signature.
    pub at: Time,
}

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The header of this name.
    Header(String),
    /// The parameter of the query of this name, whose value is escaped already.
    Query(String),
}

/// A text that a secret adds to a request.
pub struct Injected {
    /// The place.
    pub place: Place,
    /// The text there.
    pub text: Zeroizing<String>,
}

impl Injected {
    /// A header.
    pub(crate) fn header(name: &str, text: impl Into<Zeroizing<String>>) -> Self {
        Self {
            place: Place::Header(name.to_owned()),
            text: text.into(),
        }
    }
}

impl fmt::Debug for Injected {
    /// Shows the place, never the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// The reason that a value cannot be put where a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A header takes visible ASCII only.
    #[error(
        "a header takes visible ASCII without spaces at its ends, and the value has another character"
    )]
    Header,
    /// A cookie takes still fewer.
    #[error(
        "a cookie takes no spaces, quotes, commas, semicolons and backslashes, and the value has one"
    )]
    Cookie,
    /// No colon between user and password.
    #[error(
        "`basic` needs a value `user:password`, and there is no colon in it; write basic:USER for a password alone"
    )]
    User,
    /// Not an AWS key.
    #[error(
        "`sigv4` needs a value `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, with `:SESSION_TOKEN` after it if there is one, in visible \
         ASCII"
    )]
    AwsKey,
}

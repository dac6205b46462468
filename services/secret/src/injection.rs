//! The rule by which egress puts a secret into a request.

use std::fmt;
use std::str::FromStr;

use contract::{is_header_name, is_header_value, is_reserved_header, percent_encoded};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::value::SecretValue;

/// Longest name or template, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// The place of the value in a template.
const HOLE: &str = "{}";

/// The place of a secret in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Injection {
    /// A header: `header:authorization=Bearer {}`.
    Header {
        /// Its name in lower case.
        name: String,
        /// Its value, in which `{}` stands for the secret.
        template: String,
    },
    /// A parameter of the query: `query:key`.
    Query(String),
    /// A cookie: `cookie:session`.
    Cookie(String),
    /// Basic authentication: `basic:user`, or `basic` if the value is `user:password`.
    Basic(Option<String>),
}

/// The reason that a text is no injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InjectionError {
    /// Another form.
    #[error(
        "write header:NAME='Bearer {{}}', query:NAME, cookie:NAME, basic:USER, or basic for a value `user:password`"
    )]
    Form,
    /// A name of a header that cannot be one, or that egress writes itself.
    #[error("this header cannot carry a secret; write a name such as authorization or x-api-key")]
    Header,
    /// A template without exactly one place for the value.
    #[error(
        "the header's value needs exactly one {{}} for the secret, and visible ASCII around it"
    )]
    Template,
    /// A name of a parameter, a cookie or a user with a character that would end it.
    #[error(
        "the name has a character that does not belong there; write letters, digits, `-`, `_` and `.`"
    )]
    Name,
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
}

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The header of this name.
    Header(String),
    /// The parameter of the query of this name, whose value is escaped already.
    Query(String),
}

/// A secret as it stands in a request.
pub struct Injected {
    /// The place.
    pub place: Place,
    /// The text there.
    pub text: Zeroizing<String>,
}

impl fmt::Debug for Injected {
    /// Shows the place, never the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Injection {
    /// Returns the text of a request with the value in its place.
    ///
    /// # Errors
    /// [`Unfit`], which never has a part of the value.
    pub fn apply(&self, value: &SecretValue) -> Result<Injected, Unfit> {
        let value = value.expose();
        let header = |name: &str, text: Zeroizing<String>| Injected {
            place: Place::Header(name.to_owned()),
            text,
        };
        match self {
            Self::Header { name, template } => {
                let text = Zeroizing::new(template.replacen(HOLE, value, 1));
                let fits = is_header_value(&text);
                fits.then(|| header(name, text)).ok_or(Unfit::Header)
            }
            Self::Query(name) => Ok(Injected {
                place: Place::Query(name.clone()),
                text: Zeroizing::new(percent_encoded(value)),
            }),
            Self::Cookie(name) => {
                let fits = value
                    .bytes()
                    .all(|c| c.is_ascii_graphic() && !b"\",;\\".contains(&c));
                let text = Zeroizing::new(format!("{name}={value}"));
                fits.then(|| header("cookie", text)).ok_or(Unfit::Cookie)
            }
            Self::Basic(user) => {
                let pair = match user {
                    Some(user) => Zeroizing::new(format!("{user}:{value}")),
                    None if value.contains(':') => Zeroizing::new(value.to_owned()),
                    None => return Err(Unfit::User),
                };
                let encoded = Zeroizing::new(BASE64.encode(pair.as_bytes()));
                let text = Zeroizing::new(format!("Basic {}", *encoded));
                Ok(header("authorization", text))
            }
        }
    }
}

impl FromStr for Injection {
    type Err = InjectionError;

    fn from_str(text: &str) -> Result<Self, InjectionError> {
        if text == "basic" {
            return Ok(Self::Basic(None));
        }
        let (kind, rest) = text.split_once(':').ok_or(InjectionError::Form)?;
        match kind {
            "header" => header(rest),
            "query" => Ok(Self::Query(name(rest)?)),
            "cookie" => Ok(Self::Cookie(name(rest)?)),
            "basic" => Ok(Self::Basic(Some(user(rest)?))),
            _ => Err(InjectionError::Form),
        }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, template } => write!(f, "header:{name}={template}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Basic(Some(user)) => write!(f, "basic:{user}"),
            Self::Basic(None) => f.write_str("basic"),
        }
    }
}

fn header(text: &str) -> Result<Injection, InjectionError> {
    let (name, template) = text.split_once('=').unwrap_or((text, HOLE));
    let name = name.to_ascii_lowercase();
    let fits = !name.is_empty() && name.len() <= TEXT_BYTES_MAX && is_header_name(&name);
    // The body is the tool's.
    if !fits || is_reserved_header(&name) || name == "content-encoding" {
        return Err(InjectionError::Header);
    }
    let holes = template.matches(HOLE).count();
    if holes != 1 || template.len() > TEXT_BYTES_MAX || !is_header_value(template) {
        return Err(InjectionError::Template);
    }
    Ok(Injection::Header {
        name,
        template: template.to_owned(),
    })
}

fn name(text: &str) -> Result<String, InjectionError> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(is_plain);
    fits.then(|| text.to_owned()).ok_or(InjectionError::Name)
}

fn user(text: &str) -> Result<String, InjectionError> {
    let is_plain = |c: u8| c.is_ascii_graphic() && c != b':';
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(is_plain);
    fits.then(|| text.to_owned()).ok_or(InjectionError::Name)
}

//! The rule by which egress puts a secret into a request.

use std::fmt;
use std::str::FromStr;

use bus_schema::Time;
use contract::{Method, is_header_value, percent_encoded};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::hmac_rule::HmacRule;
use crate::outgoing::{Injected, Outgoing, Place, Unfit};
use crate::sigv4::SigV4;
use crate::spelling::{InjectionError, TEXT_BYTES_MAX, header_name, plain_name, user};
use crate::value::SecretValue;

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
    /// A signature with the value as its key: `hmac:x-signature=sha256={hex};{body}`.
    Hmac(HmacRule),
    /// A signature with a key of AWS: `sigv4:eu-central-1/s3`.
    SigV4(SigV4),
}

impl Injection {
    /// The places that it writes; a tool sends nothing of its own there.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let header = |name: &str| vec![Place::Header(name.to_owned())];
        match self {
            Self::Header { name, .. } => header(name),
            Self::Query(name) => vec![Place::Query(name.clone())],
            Self::Cookie(_) => header("cookie"),
            Self::Basic(_) => header("authorization"),
            Self::Hmac(rule) => rule.places(),
            Self::SigV4(_) => SigV4::places(),
        }
    }

    /// Returns what the value adds to a request.
    ///
    /// # Errors
    /// [`Unfit`], which never has a part of the value, and depends on the value alone.
    pub fn apply(
        &self,
        value: &SecretValue,
        request: &Outgoing<'_>,
    ) -> Result<Vec<Injected>, Unfit> {
        let one = match self {
            Self::Hmac(rule) => return Ok(rule.sign(value, request)),
            Self::SigV4(rule) => return rule.sign(value, request),
            Self::Header { name, template } => {
                let text = Zeroizing::new(template.replacen(HOLE, value.expose(), 1));
                let fits = is_header_value(&text);
                fits.then(|| Injected::header(name, text))
                    .ok_or(Unfit::Header)?
            }
            Self::Query(name) => Injected {
                place: Place::Query(name.clone()),
                text: Zeroizing::new(percent_encoded(value.expose())),
            },
            Self::Cookie(name) => cookie(name, value.expose())?,
            Self::Basic(user) => basic(user.as_deref(), value.expose())?,
        };
        Ok(vec![one])
    }

    /// Checks that a value can stand where the rule says.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn fits(&self, value: &SecretValue) -> Result<(), Unfit> {
        let any = Outgoing {
            method: Method::Get,
            host: "",
            path: "/",
            query: None,
            content_type: None,
            body: b"",
            at: Time::from_ns(0),
        };
        self.apply(value, &any).map(drop)
    }

    /// The texts of a value that nothing may show: the value, and each part of it that is secret by itself.
    #[must_use]
    pub fn texts<'v>(&self, value: &'v SecretValue) -> Vec<&'v str> {
        let mut texts = vec![value.expose()];
        match self {
            Self::SigV4(_) => texts.extend(SigV4::texts(value)),
            // Of a user with a password, the password alone is a value as well.
            Self::Header { .. }
            | Self::Query(_)
            | Self::Cookie(_)
            | Self::Basic(_)
            | Self::Hmac(_) => {
                let password = value.expose().split_once(':');
                texts.extend(password.map(|(_, password)| password));
            }
        }
        texts
    }
}

fn cookie(name: &str, value: &str) -> Result<Injected, Unfit> {
    let is_plain = |c: u8| c.is_ascii_graphic() && !b"\",;\\".contains(&c);
    let text = Zeroizing::new(format!("{name}={value}"));
    let fits = value.bytes().all(is_plain);
    fits.then(|| Injected::header("cookie", text))
        .ok_or(Unfit::Cookie)
}

fn basic(user: Option<&str>, value: &str) -> Result<Injected, Unfit> {
    let pair = match user {
        Some(user) => Zeroizing::new(format!("{user}:{value}")),
        None if value.contains(':') => Zeroizing::new(value.to_owned()),
        None => return Err(Unfit::User),
    };
    let encoded = Zeroizing::new(BASE64.encode(pair.as_bytes()));
    let text = Zeroizing::new(format!("Basic {}", *encoded));
    Ok(Injected::header("authorization", text))
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
            "query" => Ok(Self::Query(plain_name(rest)?)),
            "cookie" => Ok(Self::Cookie(plain_name(rest)?)),
            "basic" => Ok(Self::Basic(Some(user(rest)?))),
            "hmac" => Ok(Self::Hmac(rest.parse()?)),
            "sigv4" => Ok(Self::SigV4(rest.parse()?)),
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
            Self::Hmac(rule) => write!(f, "hmac:{rule}"),
            Self::SigV4(rule) => write!(f, "sigv4:{rule}"),
        }
    }
}

fn header(text: &str) -> Result<Injection, InjectionError> {
    let (name, template) = text.split_once('=').unwrap_or((text, HOLE));
    let name = header_name(name)?;
    let holes = template.matches(HOLE).count();
    if holes != 1 || template.len() > TEXT_BYTES_MAX || !is_header_value(template) {
        return Err(InjectionError::Template);
    }
    Ok(Injection::Header {
        name,
        template: template.to_owned(),
    })
}

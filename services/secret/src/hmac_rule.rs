//! A rule that signs requests with HMAC-SHA256: the secret is the key, and never leaves.

use std::fmt;
use std::str::FromStr;

use contract::is_header_value;
use data_encoding::{BASE64, HEXLOWER};

use crate::mac::mac;
use crate::outgoing::{Injected, Outgoing, Place};
use crate::spelling::{InjectionError, TEXT_BYTES_MAX, header_name};
use crate::value::SecretValue;

/// `hmac:NAME=VALUE;TEXT` or `hmac:NAME=VALUE;TEXT;TIME_HEADER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacRule {
    /// The header of the signature.
    name: String,
    /// Its value.
    value: Vec<Part>,
    /// The text that is signed.
    signed: Vec<Part>,
    /// The header of the time.
    time: Option<String>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Method,
    Host,
    /// Path and query, as sent.
    Path,
    Body,
    /// The seconds since the Unix epoch.
    Time,
    /// A line feed.
    Line,
    /// The signature.
    Hex,
    /// The signature.
    Base64,
}

/// The parts with their spelling.
const PARTS: [(&str, Part); 8] = [
    ("{method}", Part::Method),
    ("{host}", Part::Host),
    ("{path}", Part::Path),
    ("{body}", Part::Body),
    ("{time}", Part::Time),
    ("{line}", Part::Line),
    ("{hex}", Part::Hex),
    ("{base64}", Part::Base64),
];

impl HmacRule {
    /// The places that it writes.
    pub(crate) fn places(&self) -> Vec<Place> {
        let names = [Some(&self.name), self.time.as_ref()];
        let names = names.into_iter().flatten();
        names.map(|name| Place::Header(name.clone())).collect()
    }

    /// Signs a request.
    pub(crate) fn sign(&self, value: &SecretValue, request: &Outgoing<'_>) -> Vec<Injected> {
        let time = (request.at.ns() / 1_000_000_000).to_string();
        let method = request.method.to_string();
        let mut signed: Vec<&[u8]> = Vec::new();
        for part in &self.signed {
            match part {
                Part::Text(text) => signed.push(text.as_bytes()),
                Part::Method => signed.push(method.as_bytes()),
                Part::Host => signed.push(request.host.as_bytes()),
                Part::Path => {
                    signed.push(request.path.as_bytes());
                    if let Some(query) = request.query {
                        signed.extend([b"?".as_slice(), query.as_bytes()]);
                    }
                }
                Part::Body => signed.push(request.body),
                Part::Time => signed.push(time.as_bytes()),
                Part::Line => signed.push(b"\n"),
                Part::Hex | Part::Base64 => {}
            }
        }
        let signature = mac(value.expose().as_bytes(), &signed);
        let mut text = String::new();
        for part in &self.value {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Time => text.push_str(&time),
                Part::Hex => text.push_str(&HEXLOWER.encode(&signature[..])),
                Part::Base64 => text.push_str(&BASE64.encode(&signature[..])),
                Part::Method | Part::Host | Part::Path | Part::Body | Part::Line => {}
            }
        }
        let time = self.time.as_deref().map(|name| (name, time));
        let headers = [Some((self.name.as_str(), text)), time];
        let headers = headers.into_iter().flatten();
        headers
            .map(|(name, text)| Injected::header(name, text))
            .collect()
    }
}

impl FromStr for HmacRule {
    type Err = InjectionError;

    /// Reads what stands after `hmac:`.
    fn from_str(text: &str) -> Result<Self, InjectionError> {
        let wrong = InjectionError::Hmac;
        let (head, rest) = text.split_once(';').ok_or(wrong)?;
        let (name, value) = head.split_once('=').ok_or(wrong)?;
        let (signed, time) = match rest.split_once(';') {
            Some((signed, time)) => (signed, Some(header_name(time)?)),
            None => (rest, None),
        };
        let name = header_name(name)?;
        if !is_header_value(value) || time.as_ref() == Some(&name) {
            return Err(wrong);
        }
        let (value, signed) = (parts(value)?, parts(signed)?);
        let is_signature = |part: &&Part| matches!(part, Part::Hex | Part::Base64);
        let in_value =
            |part: &Part| matches!(part, Part::Text(_) | Part::Time | Part::Hex | Part::Base64);
        let fits = value.iter().filter(is_signature).count() == 1 && value.iter().all(in_value);
        if !fits || signed.iter().any(|part| is_signature(&part)) {
            return Err(wrong);
        }
        if !signed.contains(&Part::Path) && !signed.contains(&Part::Body) {
            return Err(InjectionError::Uncovered);
        }
        Ok(Self {
            name,
            value,
            signed,
            time,
        })
    }
}

impl fmt::Display for HmacRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelled = |parts: &[Part]| parts.iter().map(Part::to_string).collect::<String>();
        let (value, signed) = (spelled(&self.value), spelled(&self.signed));
        write!(f, "{}={value};{signed}", self.name)?;
        self.time
            .as_ref()
            .map_or(Ok(()), |name| write!(f, ";{name}"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelled = PARTS.iter().find(|(_, part)| part == self);
        match (self, spelled) {
            (Self::Text(text), _) => f.write_str(text),
            (_, Some((spelling, _))) => f.write_str(spelling),
            (_, None) => Err(fmt::Error),
        }
    }
}

/// Reads a text; a brace is always that of a part.
fn parts(text: &str) -> Result<Vec<Part>, InjectionError> {
    let is_plain = |c: u8| c.is_ascii_graphic() || c == b' ';
    if text.len() > TEXT_BYTES_MAX || !text.bytes().all(is_plain) {
        return Err(InjectionError::Hmac);
    }
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let named = PARTS.iter().find_map(|(spelling, part)| {
            let rest = rest.strip_prefix(spelling)?;
            Some((part, rest))
        });
        if let Some((part, after)) = named {
            found.push(part.clone());
            rest = after;
            continue;
        }
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        let (literal, after) = rest.split_at_checked(end).ok_or(InjectionError::Hmac)?;
        if literal.is_empty() {
            return Err(InjectionError::Hmac);
        }
        found.push(Part::Text(literal.to_owned()));
        rest = after;
    }
    Ok(found)
}

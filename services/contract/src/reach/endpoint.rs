//! A host by name and a port, in one spelling.

use std::fmt;
use std::str::FromStr;

/// Maximum length of a host name, in bytes.
const HOST_BYTES_MAX: usize = 253;
/// Maximum length of a label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;
/// The port of an endpoint that names none: that of HTTPS.
const PORT: u16 = 443;

/// A host and a port that requests can go to: `api.example.com`, or `api.example.com:8443`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

/// The reason that a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// An IP address, or a form of one that some programs read as an address.
    #[error("it is an address, and not a name")]
    Address,
    /// Something else than lower-case labels of ASCII letters, digits and inner hyphens, joined by dots.
    #[error("a name has lower-case letters, digits and `-`, in parts with one dot between them")]
    Name,
    /// A port that is not 1 to 65535 without leading zeros, or the one that is left out.
    #[error("its port is no number from 1 to 65535, or it is 443, which is left out")]
    Port,
}

impl Endpoint {
    /// Makes the endpoint of a name; the port is that of HTTPS if none is given.
    ///
    /// # Errors
    /// Returns the reason if `host` is not in the one spelling of names.
    pub fn new(host: &str, port: Option<u16>) -> Result<Self, EndpointError> {
        Ok(Self {
            host: name(host)?.to_owned(),
            port: port.unwrap_or(PORT),
        })
    }

    /// The name: lower-case ASCII, absolute, without a dot at the end.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let Some((host, port)) = text.split_once(':') else {
            return Self::new(text, None);
        };
        let is_plain = !port.starts_with(['0', '+']) && port.bytes().all(|c| c.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_plain && *port != PORT);
        Self::new(host, Some(port.ok_or(EndpointError::Port)?))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if self.port == PORT {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// Returns the name, if every program reads it as the same name.
fn name(text: &str) -> Result<&str, EndpointError> {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(is_plain)
    };
    if text.len() > HOST_BYTES_MAX || text.starts_with('[') || !text.split('.').all(is_label) {
        let is_address = text.starts_with('[') || text.parse::<std::net::IpAddr>().is_ok();
        return Err(if is_address {
            EndpointError::Address
        } else {
            EndpointError::Name
        });
    }
    // A last label of digits, or a hexadecimal number, makes a name an address for many programs.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|c| c.is_ascii_digit()) || last.starts_with("0x");
    if is_number {
        return Err(EndpointError::Address);
    }
    Ok(text)
}

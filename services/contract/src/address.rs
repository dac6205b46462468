//! E-mail addresses and host names in one spelling.

use std::fmt;
use std::net::Ipv4Addr;

/// Maximum length of a host name, in bytes.
const HOST_BYTES_MAX: usize = 253;
/// Maximum length of a label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;
/// Maximum length of an address, in bytes.
const ADDRESS_BYTES_MAX: usize = 254;
/// Maximum length of the part before the `@`, in bytes.
const LOCAL_BYTES_MAX: usize = 64;

/// Returns the canonical form of a host name: lower-case ASCII labels joined by dots, or four decimal bytes. `None`
/// for anything that parsers could take for different hosts: an empty label, a dot at the end, a port, user
/// information, an IPv6 address, another form of an IPv4 address, a letter beyond ASCII.
pub(crate) fn canonical(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > HOST_BYTES_MAX {
        return None;
    }
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(plain)
    };
    if !text.split('.').all(label) {
        return None;
    }
    let host = text.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|c| c.is_ascii_digit()) || last.starts_with("0x");
    if number && host.parse::<Ipv4Addr>().is_err() {
        return None;
    }
    Some(host)
}

/// An address: the part before the `@` as written, the domain in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    local: String,
    pub(crate) domain: String,
}

impl Address {
    /// Parses a single bare address: no name, no quotes, no comments, no list.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&c);
        let dots = local.split('.').all(|part| !part.is_empty());
        if text.len() > ADDRESS_BYTES_MAX || local.len() > LOCAL_BYTES_MAX || !dots {
            return None;
        }
        let domain = self::domain(domain)?;
        let local = local.to_owned();
        local.bytes().all(fits).then_some(Self { local, domain })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// Returns the canonical form of a mail domain; `None` for IP addresses.
pub(crate) fn domain(text: &str) -> Option<String> {
    let domain = canonical(text)?;
    domain.parse::<Ipv4Addr>().is_err().then_some(domain)
}

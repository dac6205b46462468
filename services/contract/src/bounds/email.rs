//! Reads one plain e-mail address, or nothing, and matches it against addresses and domains.

use super::host;

/// Longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 254;
/// Longest part before the `@`, in bytes.
const LOCAL_BYTES_MAX: usize = 64;

/// One address: the part before the `@` as it is written, the domain in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Reads one address and nothing beside it: no name, no quotes, no comments, no list.
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

    /// The domain, in lower case.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// The canonical form of a mail domain; none for addresses of machines.
pub(crate) fn domain(text: &str) -> Option<String> {
    let domain = host::canonical(text)?;
    domain
        .parse::<std::net::Ipv4Addr>()
        .is_err()
        .then_some(domain)
}

/// What an address has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmailBound {
    /// One of these; never empty.
    Addresses(Vec<Address>),
    /// An address of exactly one of these domains; never empty.
    Domains(Vec<String>),
}

impl EmailBound {
    /// Whether a text is such an address; none if it is not one plain address.
    pub(crate) fn judge(&self, text: &str) -> Option<bool> {
        let address = Address::new(text)?;
        Some(match self {
            Self::Addresses(own) => own.contains(&address),
            Self::Domains(own) => own.contains(&address.domain),
        })
    }
}

//! Reads host names and URLs into one canonical form, or not at all, and matches them against patterns.

use std::fmt;
use std::net::Ipv4Addr;

use crate::glob::PathGlob;

/// Longest host name, in bytes.
const HOST_BYTES_MAX: usize = 253;
/// Longest part of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;
/// Longest URL that is read, in bytes.
const URL_BYTES_MAX: usize = 8192;

/// The canonical form of a host name: lower case, plain ASCII names joined by dots, or four decimal bytes. None
/// for anything that two readers could take for different hosts: an empty name, a dot at the end, a port, user
/// information, an IPv6 address, an IPv4 address written in another way, a letter beyond ASCII.
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

/// One host, or all below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(String),
    /// Every host below this one, at any depth, but not itself.
    Below(String),
}

impl HostPattern {
    /// Reads `api.example` or `*.example`; none for anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(parent) => {
                let parent = canonical(parent)?;
                let named = parent.parse::<Ipv4Addr>().is_err();
                named.then_some(Self::Below(parent))
            }
            None => canonical(text).map(Self::Exact),
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(own) => own == host,
            Self::Below(parent) => {
                let head = host.strip_suffix(parent.as_str());
                head.is_some_and(|head| head.ends_with('.'))
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// Whether a host is one of these; none if it is no canonical host.
pub(crate) fn judge(hosts: &[HostPattern], text: &str) -> Option<bool> {
    let host = canonical(text)?;
    Some(hosts.iter().any(|one| one.matches(&host)))
}

/// What a URL has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlBound {
    /// The scheme; `https` if the contract does not say.
    pub scheme: String,
    /// The host is one of these; never empty.
    pub hosts: Vec<HostPattern>,
    /// The path; any if there is none.
    pub path: Option<UrlPath>,
    /// The port; the scheme's own if there is none.
    pub port: Option<u16>,
}

/// A pattern on the path of a URL, which starts with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath {
    /// None for the root alone.
    glob: Option<PathGlob>,
}

impl UrlPath {
    /// Reads a pattern such as `/v2/**`; none for anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('/')?;
        if rest.is_empty() {
            return Some(Self { glob: None });
        }
        let glob = Some(PathGlob::new(rest).ok()?);
        Some(Self { glob })
    }

    fn judge(&self, path: &str) -> Option<bool> {
        let names = path.strip_prefix('/').unwrap_or(path);
        let names = names.strip_suffix('/').unwrap_or(names);
        match (&self.glob, names) {
            (None, names) => Some(names.is_empty()),
            (Some(glob), "") => Some(glob.as_str() == "**"),
            (Some(glob), names) => glob.judge(names),
        }
    }
}

impl fmt::Display for UrlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.glob.as_ref().map_or("", PathGlob::as_str))
    }
}

impl UrlBound {
    /// Whether a text is such a URL; none if two readers could take it for different ones: user information, a
    /// host that is not canonical, a backslash, white space, `.` or `..`, an empty name in the path, or an
    /// escape that hides a plain character.
    pub(crate) fn judge(&self, text: &str) -> Option<bool> {
        let visible = text.bytes().all(|c| c.is_ascii_graphic());
        if text.len() > URL_BYTES_MAX
            || !visible
            || text.contains(['\\', '"', '<', '>', '`', '{', '}', '|', '^'])
        {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let word = |c: u8| c.is_ascii_alphanumeric() || b"+-.".contains(&c);
        if scheme.is_empty() || !scheme.bytes().all(word) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if !unambiguous(path) {
            return None;
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(self::port(port)?)),
            None => (authority, None),
        };
        let host = judge(&self.hosts, host)?;
        let path = self
            .path
            .as_ref()
            .map_or(Some(true), |own| own.judge(path))?;
        let wanted = self.port.or_else(|| port_of(&self.scheme));
        let has = port.or_else(|| port_of(&scheme));
        Some(scheme == self.scheme && host && path && has.is_some() && has == wanted)
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = !text.starts_with('0') && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// The port that a scheme has of its own.
pub(crate) fn port_of(scheme: &str) -> Option<u16> {
    match scheme {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        "ftp" => Some(21),
        _ => None,
    }
}

/// Whether a path has one spelling only.
fn unambiguous(path: &str) -> bool {
    let inner = path.strip_suffix('/').unwrap_or(path);
    let mut names = inner.split('/');
    // What stands before the first slash.
    names.next();
    if names.any(|name| matches!(name, "" | "." | "..")) {
        return false;
    }
    path.split('%').skip(1).all(|after| {
        let digits = after.get(..2).filter(|two| {
            two.bytes()
                .all(|c| c.is_ascii_digit() || (b'A'..=b'F').contains(&c))
        });
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|c| {
            let plain = c.is_ascii_alphanumeric() || b"-._~/\\%".contains(&c);
            !plain && !c.is_ascii_control()
        })
    })
}

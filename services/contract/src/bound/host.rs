//! `host`: a canonical host name that matches one of several patterns.

use std::fmt;
use std::net::Ipv4Addr;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::list::one_or_more;
use super::matching::{CallContext, Match};
use crate::address::canonical;
use crate::dead::possible::Possible;
use crate::dead::text::Text;
use crate::parse::source::{Node, Source};
use crate::show::words::joined;
use crate::toml_text::quoted_list;

/// A host, or all subdomains of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(String),
    /// Every subdomain of this host, at any depth, without the host itself.
    Below(String),
}

impl HostPattern {
    /// Parses `api.example` or `*.example`; `None` if invalid.
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

/// Returns true if the host matches one of these; `None` if it is not a valid host name.
pub(crate) fn judge(hosts: &[HostPattern], text: &str) -> Option<bool> {
    let host = canonical(text)?;
    Some(hosts.iter().any(|one| one.matches(&host)))
}

/// Reads one pattern or a list of patterns.
pub(super) fn read<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Vec<HostPattern>> {
    let fix = "write a name such as \"api.example\", or \"*.example\" for all below it";
    one_or_more(source, node, "host", fix, HostPattern::new)
}

/// Describes the hosts for people.
pub(super) fn said(hosts: &[HostPattern]) -> String {
    let each = hosts.iter().map(|host| match host {
        HostPattern::Exact(host) => format!("the host {host}"),
        HostPattern::Below(parent) => format!("a host below {parent}"),
    });
    joined(each.collect(), "or")
}

/// A host name that matches one of these; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Host(pub Vec<HostPattern>);

impl Kind for Host {
    const KEYS: &'static [&'static str] = &["host"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("host", |reader, node| read(reader.source, node).map(Self))
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        Match::told(value.as_str().and_then(|text| judge(&self.0, text)))
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn permits_links(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.text(Text::Hosts(
            self.0.iter().map(ToString::to_string).collect(),
        ));
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        format!("is {}", said(&self.0))
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        matches!(self.0[..], [HostPattern::Exact(_)])
    }

    fn widen(&self, value: &Value, _context: &CallContext<'_>) -> Option<Self> {
        let host = HostPattern::new(value.as_str()?)?;
        matches!(host, HostPattern::Exact(_)).then(|| {
            let mut hosts = self.0.clone();
            hosts.push(host);
            Self(hosts)
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host = {}", quoted_list(&self.0))
    }
}

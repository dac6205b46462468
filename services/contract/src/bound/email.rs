//! `email`: a plain e-mail address from a list of addresses or domains.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::list::one_or_more;
use super::matching::{CallContext, Match};
use crate::address::{Address, domain};
use crate::dead::possible::Possible;
use crate::dead::text::Text;
use crate::parse::source::{Node, Source};
use crate::show::words::joined;
use crate::toml_text::quoted_list;

/// The permitted addresses.
#[derive(Debug, Clone, PartialEq)]
pub enum Email {
    /// One of these; never empty.
    Addresses(Vec<Address>),
    /// An address of exactly one of these domains; never empty.
    Domains(Vec<String>),
}

impl Email {
    /// Returns true if `text` is a permitted address; `None` if it is not a plain address.
    fn takes_in(&self, text: &str) -> Option<bool> {
        let address = Address::new(text)?;
        Some(match self {
            Self::Addresses(own) => own.contains(&address),
            Self::Domains(own) => own.contains(&address.domain),
        })
    }
}

impl Kind for Email {
    const KEYS: &'static [&'static str] = &["email"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("email", |reader, node| read(reader.source, node))
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        Match::told(value.as_str().and_then(|text| self.takes_in(text)))
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn permits_links(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.text(match self {
            Self::Addresses(each) => Text::Emails(each.iter().map(ToString::to_string).collect()),
            Self::Domains(each) => Text::Domains(each.clone()),
        });
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        match self {
            Self::Addresses(each) => {
                let each = each.iter().map(ToString::to_string).collect();
                format!("is the e-mail address {}", joined(each, "or"))
            }
            Self::Domains(each) => {
                format!("is an e-mail address at {}", joined(each.clone(), "or"))
            }
        }
    }

    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        matches!(self, Self::Addresses(own) if own.len() == 1)
    }

    fn widen(&self, value: &Value, _context: &CallContext<'_>) -> Option<Self> {
        let address = Address::new(value.as_str()?)?;
        let mut wider = self.clone();
        match &mut wider {
            Self::Addresses(own) => own.push(address),
            Self::Domains(own) => own.push(address.domain),
        }
        Some(wider)
    }
}

fn read<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Email> {
    if node.get_ref().as_table().is_some() {
        let of = source.table(node, "`email`", &["domain"])?;
        let domains = source.required(&of, "domain")?;
        let fix = "write a domain such as \"example.com\"";
        return one_or_more(source, domains, "domain", fix, domain).map(Email::Domains);
    }
    let fix = "write one address such as \"name@example.com\", or { domain = \"example.com\" }";
    let addresses = one_or_more(source, node, "e-mail address", fix, Address::new);
    addresses.map(Email::Addresses)
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(each) => write!(f, "email = {}", quoted_list(each)),
            Self::Domains(each) => write!(f, "email = {{ domain = {} }}", quoted_list(each)),
        }
    }
}

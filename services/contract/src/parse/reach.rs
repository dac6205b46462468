//! Parses `hosts` and `networks`: where the calls of a contract may send to.

use std::fmt::Display;
use std::str::FromStr;

use super::listed::Listed;
use super::source::{Node, Source, Table};
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::envelope::permits;
use crate::reach::Reach;

/// Maximum length of a host or a network, in characters.
const CHARS_MAX: usize = 260;
const HOSTS: Listed = Listed {
    key: "hosts",
    one: "host",
    max: 32,
    fewer: "split the contract by purpose",
};
const NETWORKS: Listed = Listed {
    key: "networks",
    one: "network",
    max: 16,
    fewer: "name the network above them",
};

/// Reads both keys.
pub(super) fn read<'t>(source: &mut Source<'t>, of: &Table<'t>) -> Option<Reach> {
    let hosts = HOSTS.read(source, of, |source, item| {
        one(
            source,
            item,
            "host",
            "write a name such as \"api.example.com\"",
        )
    });
    let networks = NETWORKS.read(source, of, |source, item| {
        one(
            source,
            item,
            "network",
            "name a private network such as \"10.1.0.0/16\", or leave it out",
        )
    });
    let reach = Reach {
        hosts: hosts?,
        networks: networks?,
    };
    if let (true, Some(node)) = (reach.hosts.is_empty(), of.table.get("networks")) {
        let problem = "`networks` says where hosts may be, and the contract names no hosts";
        let fix = "add `hosts`, or leave `networks` out";
        source.report(node.span(), problem.to_owned(), fix);
        return None;
    }
    Some(reach)
}

/// Reports a tool that the contract permits and that sends to a host which it does not name.
pub(super) fn check(
    source: &mut Source<'_>,
    of: &Table<'_>,
    contract: &Contract,
    catalogue: &Catalogue,
) {
    for tool in catalogue.tools() {
        let Some(http) = tool.http() else {
            continue;
        };
        let endpoint = http.endpoint();
        if contract.reach().hosts.contains(endpoint) || !permits(contract, tool) {
            continue;
        }
        let node = of.table.get("hosts");
        let span = node.map_or_else(|| of.span.clone(), |node| node.span());
        let name = tool.name();
        let problem = format!("`{name}` sends to {endpoint}, which `hosts` does not name");
        let fix = match node {
            Some(_) => format!("add \"{endpoint}\" to `hosts`, or leave the tool out"),
            None => {
                format!("write `hosts = [\"{endpoint}\"]` above the rules, or leave the tool out")
            }
        };
        source.report(span, problem, fix);
    }
}

fn one<T: FromStr<Err: Display>>(
    source: &mut Source<'_>,
    node: &Node<'_>,
    what: &str,
    fix: &str,
) -> Option<T> {
    let text = source.text(node, &format!("a {what} of `{what}s`"), CHARS_MAX)?;
    match text.parse() {
        Ok(read) => Some(read),
        Err(error) => {
            source.report(node.span(), format!("{text:?} is no {what}: {error}"), fix);
            None
        }
    }
}

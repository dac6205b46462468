//! Reads the operators on texts that have a form of their own: paths, hosts, URLs, addresses and dates.

use super::super::source::{Node, Source};
use crate::bounds::host::port_of;
use crate::bounds::{Address, EmailBound, End, HostPattern, Operator, UrlBound, UrlPath, email};
use crate::glob::{PATTERN_BYTES_MAX, PathGlob, TextGlob};

/// Most hosts, addresses or domains of one bound.
const LIST_MAX: usize = 1000;

pub(super) fn path(source: &mut Source<'_>, node: &Node<'_>) -> Option<PathGlob> {
    let text = source.text(node, "the pattern", PATTERN_BYTES_MAX)?;
    PathGlob::new(&text)
        .map_err(|error| {
            let message = error.to_string();
            let (problem, fix) = message.split_once("; ").unwrap_or((&message, ""));
            source.report(node.span(), problem, fix);
        })
        .ok()
}

pub(super) fn like<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Operator> {
    let text = source.text(node, "the pattern", PATTERN_BYTES_MAX)?;
    let glob = TextGlob::new(&text);
    if glob.is_none() {
        let problem = format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes");
        source.report(node.span(), problem, "shorten it");
    }
    glob.map(Operator::Like)
}

/// Reads one text, or a list of them, each by `read`.
fn one_or_more<'t, T>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    what: &str,
    fix: &str,
    read: fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    let one = |source: &mut Source<'t>, node: &'t Node<'t>| {
        let text = source.text(node, what, PATTERN_BYTES_MAX)?;
        let found = read(&text);
        if found.is_none() {
            source.report(node.span(), format!("{text:?} is no {what}"), fix);
        }
        found
    };
    if node.get_ref().as_array().is_none() {
        return Some(vec![one(source, node)?]);
    }
    let items = source.items(node, what)?;
    if items.len() > LIST_MAX {
        let problem = format!("the list has more than {LIST_MAX} entries");
        source.report(node.span(), problem, "split the contract by purpose");
        return None;
    }
    items.iter().map(|item| one(source, item)).collect()
}

fn hosts<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Vec<HostPattern>> {
    let fix = "write a name such as \"api.example\", or \"*.example\" for all below it";
    one_or_more(source, node, "host", fix, HostPattern::new)
}

pub(super) fn host<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Operator> {
    hosts(source, node).map(Operator::Host)
}

pub(super) fn url<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Operator> {
    let of = source.table(node, "`url`", &["scheme", "host", "path", "port"])?;
    let scheme = match of.table.get("scheme") {
        Some(node) => source.text(node, "`scheme`", 16)?,
        None => "https".to_owned(),
    };
    let host = source.required(&of, "host")?;
    let hosts = hosts(source, host)?;
    let path = match of.table.get("path") {
        Some(node) => {
            let text = source.text(node, "`path`", PATTERN_BYTES_MAX)?;
            let path = UrlPath::new(&text);
            if path.is_none() {
                let problem = format!("{text:?} is no pattern on the path of a URL");
                let fix = "begin with `/`; `*` stands within one name, `**` for whole names";
                source.report(node.span(), problem, fix);
                return None;
            }
            path
        }
        None => None,
    };
    let port = match of.table.get("port") {
        Some(node) => u16::try_from(source.integer(node, "`port`", 1..=65_535)?).ok(),
        None => None,
    };
    let plain = scheme
        .bytes()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !plain || (port.is_none() && port_of(&scheme).is_none()) {
        let fix = "write https, http, wss, ws or ftp, or add the port";
        source.report(
            of.span,
            format!("the scheme {scheme:?} has no port of its own"),
            fix,
        );
        return None;
    }
    Some(Operator::Url(UrlBound {
        scheme,
        hosts,
        path,
        port,
    }))
}

pub(super) fn email<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Operator> {
    let bound = if node.get_ref().as_table().is_some() {
        let of = source.table(node, "`email`", &["domain"])?;
        let domain = source.required(&of, "domain")?;
        let fix = "write a domain such as \"example.com\"";
        EmailBound::Domains(one_or_more(source, domain, "domain", fix, email::domain)?)
    } else {
        let fix = "write one address such as \"name@example.com\", or { domain = \"example.com\" }";
        EmailBound::Addresses(one_or_more(
            source,
            node,
            "e-mail address",
            fix,
            Address::new,
        )?)
    };
    Some(Operator::Email(bound))
}

pub(super) fn date<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Operator> {
    let of = source.table(node, "`date`", &["from", "to"])?;
    let mut end = |key: &str| {
        let Some(node) = of.table.get(key) else {
            return Some(None);
        };
        let text = source.text(node, &format!("`{key}`"), 64)?;
        let found = End::new(&text);
        if found.is_none() {
            let fix = "write \"2026-01-31\", \"2026-01-31T18:00:00Z\", \"now\", \"now+30d\" or \"now-2h\"";
            source.report(node.span(), format!("{text:?} is no date"), fix);
        }
        found.map(Some)
    };
    let (from, to) = (end("from"), end("to"));
    let (from, to) = (from?, to?);
    if from.is_none() && to.is_none() {
        source.report(of.span, "`date` says nothing", "write `from`, `to` or both");
        return None;
    }
    Some(Operator::Date { from, to })
}

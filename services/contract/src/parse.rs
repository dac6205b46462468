//! Parses a contract from TOML and reports every problem with its place and repair.

mod conditions;
mod counted;
mod dead;
mod fits;
mod flow;
mod folders;
mod head;
mod known;
mod limits;
mod listed;
mod matcher;
mod question;
mod quota;
mod reach;
mod repeat;
mod rule;
mod secrets;
mod slots;
pub(crate) mod source;
mod test;
pub(crate) mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bus_schema::{Digest, ENVELOPE_TOOLS_MAX, wire};
use diagnostic::{Diagnostic, Diagnostics};
use toml::de::DeTable;

use crate::catalogue::{Catalogue, Tool};
use crate::contract::{CONTRACT_BYTES_MAX, Contract, Header};
use crate::envelope::envelope;
use crate::rule::Rule;
use counted::Written;
use source::{Node, Source, TEXT_CHARS_MAX, Table, name};

pub(crate) use test::Test;

/// Maximum number of rules of a contract.
const RULES_MAX: usize = 1000;
/// Maximum number of inline tests of a contract.
const TESTS_MAX: usize = 1000;
/// Maximum length of the encoded envelope, so that the event that signs it stays below
/// [`bus_schema::EVENT_BYTES_MAX`].
const ENVELOPE_BYTES_MAX: usize = 6144;
const CONTRACT_KEYS: &[&str] = &[
    "contract",
    "version",
    "purpose",
    "owner",
    "principal",
    "task",
    "starts",
    "expires",
    "zone",
    "workspace",
    "folders",
    "hosts",
    "networks",
    "limits",
    "known",
    "slots",
    "roles",
    "allow",
    "ask",
    "deny",
    "test",
];

/// The inline tests of a contract, the problems in their syntax, and dead rules.
pub(crate) struct Tests {
    pub(crate) each: Vec<Test>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Parses a contract, checks it against the catalogue, and parses its inline tests.
pub(crate) fn contract(
    file: &str,
    text: &str,
    catalogue: &Catalogue,
) -> Result<(Contract, Tests), Diagnostics> {
    if text.len() > CONTRACT_BYTES_MAX {
        let problem = format!("the contract is longer than {CONTRACT_BYTES_MAX} bytes");
        return Err(Diagnostic::at(file, text, 0..0, problem, "split it by purpose").into());
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut source = Source::new(file, text);
    for error in &errors {
        source.report_toml(error);
    }
    // After TOML errors, the document is only a guess, so it is not checked further.
    Diagnostics::none_in(std::mem::take(&mut source.found))?;
    let fields = Table {
        table: document.get_ref(),
        span: 0..0,
        what: "a contract",
    };
    source.known(fields.table, fields.what, CONTRACT_KEYS);
    let contract = read(&mut source, &fields, text, catalogue);
    let tests = tables(&mut source, &fields, "test", TESTS_MAX);
    Diagnostics::none_in(std::mem::take(&mut source.found))?;
    let contract = contract.ok_or_else(|| {
        Diagnostic::at(
            file,
            text,
            0..0,
            "the contract is incomplete",
            "complete its first lines",
        )
    })?;
    fits(&mut source, &fields, &contract, catalogue);
    reach::check(&mut source, &fields, &contract, catalogue);
    slots::used(&mut source, &fields, &contract);
    let rules = ["allow", "ask", "deny"].into_iter();
    let rules = rules.flat_map(|word| tables(&mut source, &fields, word, RULES_MAX));
    let rules: Vec<&Node<'_>> = rules.collect();
    secrets::check(&mut source, &contract, &rules, catalogue);
    dead::check(&mut source, &contract, &rules, catalogue);
    let limited = (&contract.head.limits, contract.rules.as_slice());
    limits::check(&mut source, &fields, limited, catalogue);
    let mut each = Vec::new();
    for node in tests {
        let about = test::Context {
            contract: &contract,
            catalogue,
            before: &each,
        };
        let found = test::read(&mut source, node, &about);
        each.extend(found);
    }
    let tests = Tests {
        each,
        problems: source.found,
    };
    Ok((contract, tests))
}

/// Reports an envelope that is too large for the event that the owner signs.
fn fits(source: &mut Source<'_>, of: &Table<'_>, contract: &Contract, catalogue: &Catalogue) {
    let envelope = envelope(contract, catalogue);
    let fix = "let its rules be about fewer tools, or split it by purpose";
    if envelope.tools.len() > ENVELOPE_TOOLS_MAX {
        let problem = format!(
            "the contract is about {} tools, more than {ENVELOPE_TOOLS_MAX}",
            envelope.tools.len()
        );
        source.report(of.span.clone(), problem, fix);
    } else if wire::encode(&envelope).len() > ENVELOPE_BYTES_MAX {
        let problem = format!("the contract's envelope is longer than {ENVELOPE_BYTES_MAX} bytes");
        source.report(of.span.clone(), problem, fix);
    }
}

fn read<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    text: &str,
    catalogue: &Catalogue,
) -> Option<Contract> {
    let name = source
        .required(of, "contract")
        .and_then(|node| name(source, node, "`contract`"));
    let version = source
        .required(of, "version")
        .and_then(|node| source.integer(node, "`version`", 1..=i64::from(u32::MAX)));
    let mut words = |key: &str| {
        let node = source.required(of, key)?;
        source.text(node, &format!("`{key}`"), TEXT_CHARS_MAX)
    };
    let (purpose, owner) = (words("purpose"), words("owner"));
    let expires = source
        .required(of, "expires")
        .and_then(|node| Some((head::moment(source, node, "expires", true)?, node.span())));
    let starts = starts(source, of.table.get("starts"));
    let task = head::task(source, of.table.get("task"));
    let folders = folders::read(source, of);
    let reach = reach::read(source, of);
    let principals = head::principals(source, of.table.get("principal"));
    let limits = limits::read(source, of.table.get("limits"), catalogue);
    let roles = head::roles(source, of.table.get("roles"));
    let known = known::read(source, of.table.get("known"));
    let (nobody, nothing) = (BTreeMap::new(), BTreeMap::new());
    let people = roles.as_ref().unwrap_or(&nobody);
    let sets = known.as_ref().unwrap_or(&nothing);
    let (kinds, slots) = slots::read(source, of.table.get("slots"), (catalogue, sets));
    let rules = rules(
        source,
        of,
        &rule::Against {
            catalogue,
            roles: people,
            known: sets,
            slots: &kinds,
        },
    );
    if let (Some(version), Some(limits)) = (version, &limits) {
        counted::check(source, (version, limits), &rules, catalogue);
    }
    let rules: Vec<Rule> = rules.into_iter().map(|(rule, _)| rule).collect();
    let (expires_ms, expires_span) = expires?;
    let starts = starts?;
    begins(source, starts.as_ref(), expires_ms);
    Some(Contract {
        name: name?.parse().ok()?,
        version: u32::try_from(version?).ok()?,
        purpose: purpose?,
        owner: owner?,
        head: Header {
            starts_ms: starts.map(|(starts_ms, _)| starts_ms),
            expires_ms,
            principals: principals?,
            task: task?,
            limits: limits?,
            zone: head::zone(source, of.table.get("zone"))?,
            folders: folders?,
            reach: reach?,
        },
        expires_span,
        roles: roles.clone()?,
        known: known.clone()?,
        slots: slots?,
        by_tool: by_tool(&rules, catalogue),
        rules,
        tests: Vec::new(),
        digest: Digest::of(&[text.as_bytes()]),
    })
}

/// Reads `starts` with its place; the outer `None` means that a problem was reported.
fn starts(source: &mut Source<'_>, node: Option<&Node<'_>>) -> Option<Option<(i64, Range<usize>)>> {
    let Some(node) = node else {
        return Some(None);
    };
    let found = head::moment(source, node, "starts", false)?;
    Some(Some((found, node.span())))
}

/// Reports a contract that expires before it starts.
fn begins(source: &mut Source<'_>, starts: Option<&(i64, Range<usize>)>, expires_ms: i64) {
    let late = starts.filter(|(starts_ms, _)| *starts_ms >= expires_ms);
    if let Some((_, span)) = late {
        let problem = "the contract expires before it starts";
        let fix = "write an earlier `starts` or a later `expires`";
        source.report(span.clone(), problem, fix);
    }
}

/// Returns the indexes of the rules about each tool, sorted by rule name.
fn by_tool(rules: &[Rule], catalogue: &Catalogue) -> BTreeMap<String, Vec<usize>> {
    let places = |tool: &Tool| {
        let name = tool.name().as_str();
        let about = rules.iter().enumerate();
        let about = about.filter(|(_, rule)| rule.tool.matches(name));
        let mut places: Vec<usize> = about.map(|(at, _)| at).collect();
        places.sort_by_key(|at| rules.get(*at).map(|rule| &rule.id));
        (name.to_owned(), places)
    };
    catalogue.tools().map(places).collect()
}

fn rules<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    against: &rule::Against<'_>,
) -> Vec<(Rule, Written)> {
    let (mut rules, mut names, mut written) = (Vec::new(), BTreeSet::new(), 0);
    for word in ["allow", "ask", "deny"] {
        for (place, node) in tables(source, of, word, RULES_MAX).iter().enumerate() {
            written += 1;
            if let Some(rule) = rule::read(source, node, word, place + 1, &mut names, against) {
                let says = |key: &str| {
                    let table = node.get_ref().as_table();
                    table.is_some_and(|table| table.contains_key(key))
                };
                let written = Written {
                    span: node.span(),
                    says_tokens: says("tokens"),
                    named: says("name"),
                };
                rules.push((rule, written));
            }
        }
    }
    let says = |word: &str| of.table.contains_key(word);
    if !says("allow") && !says("ask") && !says("deny") {
        let fix = "add an `[[allow]]` for each thing that may be done, or `allow = []` for nothing";
        source.report(of.span.clone(), "the contract has no rule", fix);
    }
    if written > RULES_MAX {
        let problem = format!("the contract has more than {RULES_MAX} rules");
        source.report(of.span.clone(), problem, "split it by purpose");
    }
    rules
}

/// Returns the entries of an array of tables; empty if it is absent.
fn tables<'t>(source: &mut Source<'t>, of: &Table<'t>, key: &str, most: usize) -> &'t [Node<'t>] {
    let Some(node) = of.table.get(key) else {
        return &[];
    };
    let Some(items) = node.get_ref().as_array() else {
        source.mistyped(
            node,
            &format!("`{key}`"),
            &format!("`[[{key}]]`, with two brackets"),
        );
        return &[];
    };
    if items.len() > most {
        let problem = format!("the contract has more than {most} `[[{key}]]`");
        source.report(node.span(), problem, "split it by purpose");
        return &[];
    }
    items
}

//! Reads a contract from TOML, noting every problem with its place and its repair.

mod bound;
mod rule;
mod source;
mod trial;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use actor::diagnostic::{Diagnostic, Diagnostics};
use bus_schema::{Digest, ENVELOPE_TOOLS_MAX, wire};
use jiff::{SignedDuration, Timestamp, civil, tz::Offset};
use toml::de::{DeTable, DeValue};

use crate::catalogue::Catalogue;
use crate::contract::{CONTRACT_BYTES_MAX, Contract, Limits, NAME_BYTES_MAX, Rule};
use crate::envelope::envelope;
use source::{Fields, Node, Source};

/// Most rules of a contract.
const RULES_MAX: usize = 1000;
/// Most inline tests of a contract.
const TESTS_MAX: usize = 1000;
/// Most characters of `purpose`, `owner` and `reason`.
const TEXT_CHARS_MAX: usize = 500;
/// Longest duration anywhere in a contract: 30 days.
const DURATION_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;
/// Longest encoded envelope, so that the event that signs it stays below
/// [`bus_schema::EVENT_BYTES_MAX`].
const ENVELOPE_BYTES_MAX: usize = 6144;
/// Limits of a contract that does not say its own.
const LIMITS_DEFAULT: Limits = Limits {
    calls: 100,
    wall_ms: 30 * 60 * 1000,
    output_bytes: 16 << 20,
};

const CONTRACT_KEYS: [&str; 10] = [
    "contract", "version", "purpose", "owner", "expires", "limits", "allow", "ask", "deny", "test",
];

/// Parses and checks a contract, its inline tests included.
pub(crate) fn contract(
    file: &str,
    text: &str,
    catalogue: &Catalogue,
) -> Result<Contract, Diagnostics> {
    if text.len() > CONTRACT_BYTES_MAX {
        let problem = format!("the contract is longer than {CONTRACT_BYTES_MAX} bytes");
        return Err(Diagnostic::at(file, text, 0..0, problem, "split it by purpose").into());
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut source = Source::new(file, text);
    for error in &errors {
        source.report_toml(error);
    }
    // A document that was repaired by guessing is not read further.
    Diagnostics::none_in(std::mem::take(&mut source.found))?;
    let fields = Fields {
        table: document.get_ref(),
        span: 0..0,
        what: "a contract",
    };
    source.known(fields.table, fields.what, &CONTRACT_KEYS);
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
    for test in tests {
        trial::run(&mut source, test, &contract, catalogue);
    }
    Diagnostics::none_in(source.found)?;
    Ok(contract)
}

/// Notes an envelope that would not fit into the event that the owner signs.
fn fits(source: &mut Source<'_>, of: &Fields<'_>, contract: &Contract, catalogue: &Catalogue) {
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

/// Whether a text can name a contract or a rule: lower-case letters, digits and `-`, a letter
/// or digit first.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && !text.starts_with('-')
        && text.bytes().all(fits)
}

fn read<'t>(
    source: &mut Source<'t>,
    of: &Fields<'t>,
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
        .and_then(|node| Some((moment(source, node)?, node.span())));
    let limits = of
        .table
        .get("limits")
        .map_or(Some(LIMITS_DEFAULT), |node| limits(source, node));
    let rules = rules(source, of, catalogue);
    let (expires_ms, expires_span) = expires?;
    Some(Contract {
        name: name?.parse().ok()?,
        version: u32::try_from(version?).ok()?,
        purpose: purpose?,
        owner: owner?,
        expires_ms,
        expires_span,
        limits: limits?,
        rules,
        digest: Digest::of(&[text.as_bytes()]),
    })
}

fn rules<'t>(source: &mut Source<'t>, of: &Fields<'t>, catalogue: &Catalogue) -> Vec<Arc<Rule>> {
    let (mut rules, mut names, mut written) = (Vec::new(), BTreeSet::new(), 0);
    for word in ["allow", "ask", "deny"] {
        for (place, node) in tables(source, of, word, RULES_MAX).iter().enumerate() {
            written += 1;
            if let Some(rule) = rule::read(source, node, word, place + 1, &mut names, catalogue) {
                rules.push(Arc::new(rule));
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

/// The entries of an array of tables; none when it is not there.
fn tables<'t>(source: &mut Source<'t>, of: &Fields<'t>, key: &str, most: usize) -> &'t [Node<'t>] {
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

fn limits<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Limits> {
    let of = source.table(node, "`[limits]`", &["calls", "wall_time", "output_bytes"])?;
    let calls = of
        .table
        .get("calls")
        .map_or(Some(LIMITS_DEFAULT.calls), |node| {
            source.count(node, "`calls`", 1)
        });
    let wall_ms = of
        .table
        .get("wall_time")
        .map_or(Some(LIMITS_DEFAULT.wall_ms), |node| {
            duration(source, node, "`wall_time`", DURATION_MS_MAX)
        });
    let output = of.table.get("output_bytes");
    let output_bytes = output.map_or(Some(LIMITS_DEFAULT.output_bytes), |node| {
        source.count(node, "`output_bytes`", 1)
    });
    Some(Limits {
        calls: calls?,
        wall_ms: wall_ms?,
        output_bytes: output_bytes?,
    })
}

fn name(source: &mut Source<'_>, node: &Node<'_>, what: &str) -> Option<String> {
    let text = source.text(node, what, NAME_BYTES_MAX)?;
    if !is_name(&text) {
        let problem = format!("{what} is not a name");
        let fix = "use lower-case letters, digits and `-`, a letter or digit first";
        source.report(node.span(), problem, fix);
        return None;
    }
    Some(text)
}

/// Reads a duration such as "30m" as milliseconds from 1 to `most_ms`.
fn duration(source: &mut Source<'_>, node: &Node<'_>, what: &str, most_ms: u64) -> Option<u64> {
    let Some(text) = node.get_ref().as_str() else {
        source.mistyped(node, what, "a duration in quotes, such as \"30m\"");
        return None;
    };
    let span: Option<SignedDuration> = text.parse().ok();
    let value = span.and_then(|span| u64::try_from(span.as_millis()).ok());
    let value = value.filter(|ms| (1..=most_ms).contains(ms));
    if value.is_none() {
        let fix = format!(
            "write more than 0 and at most \"{}h\", such as \"30m\"",
            most_ms / 3_600_000
        );
        source.report(node.span(), format!("{what} is not such a duration"), fix);
    }
    value
}

/// Reads a date or a moment as milliseconds since 1970 UTC.
fn moment(source: &mut Source<'_>, node: &Node<'_>) -> Option<i64> {
    let fix = "write a date such as 2030-01-31, or a moment such as 2030-01-31T18:00:00Z";
    let DeValue::Datetime(written) = node.get_ref() else {
        source.report(
            node.span(),
            "`expires` is not a date",
            format!("{fix}, without quotes"),
        );
        return None;
    };
    let found = match (written.date, written.time, written.offset) {
        (Some(_), Some(_), Some(_)) => written.to_string().parse::<Timestamp>().ok(),
        (Some(_), None, None) => end_of_day(&written.to_string()),
        _ => None,
    };
    if found.is_none() {
        let problem = "`expires` does not say one moment for every place on earth";
        source.report(node.span(), problem, fix);
    }
    found.map(Timestamp::as_millisecond)
}

fn end_of_day(date: &str) -> Option<Timestamp> {
    let next = date.parse::<civil::Date>().ok()?.tomorrow().ok()?;
    Offset::UTC
        .to_timestamp(next.to_datetime(civil::Time::midnight()))
        .ok()
}

/// The place of an entry of a table, or of the table itself.
fn place(of: &Fields<'_>, key: &str) -> Range<usize> {
    of.table
        .get(key)
        .map_or_else(|| of.span.clone(), |node| node.span())
}

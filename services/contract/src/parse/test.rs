//! Parses the inline tests of a contract.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::head;
use super::source::{Node, Source, TEXT_CHARS_MAX, Table};
use super::tools::unknown_tool;
use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::labels::{Integrity, Labels, Secrecy, WrittenLabels};
use crate::name::is_principal;
use crate::pattern::PATTERN_BYTES_MAX;
use crate::test_call::{Earlier, TestCall};
use bus_schema::json;

/// Maximum length of the task text in a test, in characters.
const WORDS_CHARS_MAX: usize = 64 << 10;
/// Half a day in milliseconds.
const HALF_DAY_MS: i64 = 12 * 60 * 60 * 1000;
/// Maximum number of earlier calls of a test.
const EARLIER_MAX: usize = 1000;

/// A `[[test]]`: a call and the expected verdict, with their places.
pub(crate) struct Test {
    pub(crate) call: TestCall,
    pub(crate) call_span: Range<usize>,
    /// `allow`, `ask` or `deny`.
    pub(crate) expect: &'static str,
    pub(crate) expect_span: Range<usize>,
    /// The expected deciding rule, if given.
    pub(crate) rule: Option<(String, Range<usize>)>,
}

/// Parses one `[[test]]`; the defaults are the contract's first principal and its default moment.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    contract: &Contract,
    catalogue: &Catalogue,
) -> Option<Test> {
    let keys = [
        "call",
        "expect",
        "rule",
        "text",
        "earlier",
        "at",
        "principal",
    ];
    let of = source.table(node, "`[[test]]`", &keys)?;
    let expected = source.required(&of, "expect");
    let expected = expected.and_then(|node| Some((expectation(source, node)?, node.span())));
    let call = source.required(&of, "call").and_then(|node| {
        let of = source.table(node, "`call`", &["tool", "args"])?;
        Some((
            tool(source, &of, catalogue)?,
            args(source, &of)?,
            node.span(),
        ))
    });
    let rule = of.table.get("rule").map_or(Some(None), |node| {
        let text = source.text(node, "`rule`", 64)?;
        Some(Some((text, node.span())))
    });
    let at_ms = of.table.get("at").map_or(Some(usual_ms(contract)), |node| {
        head::moment(source, node, "at", false)
    });
    let circumstances = circumstances(source, &of, contract, catalogue);
    let ((expect, expect_span), (tool, args, call_span)) = (expected?, call?);
    let (text, principal, earlier) = circumstances?;
    Some(Test {
        call: TestCall {
            tool: tool.name().to_string(),
            args,
            text,
            earlier,
            principal,
            at_ms: at_ms?,
        },
        call_span,
        expect,
        expect_span,
        rule: rule?,
    })
}

/// The default moment of a test: the start of the contract, or half a day before its expiry.
fn usual_ms(contract: &Contract) -> i64 {
    let late = contract.expires_ms().saturating_sub(HALF_DAY_MS);
    contract.starts_ms().unwrap_or(late)
}

/// The task text, the principal and the earlier calls.
type Circumstances = (Option<String>, String, Vec<Earlier>);

fn circumstances<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    contract: &Contract,
    catalogue: &Catalogue,
) -> Option<Circumstances> {
    let text = match of.table.get("text") {
        Some(node) => Some(source.text(node, "`text`", WORDS_CHARS_MAX)?),
        None => None,
    };
    let principal = match of.table.get("principal") {
        Some(node) => {
            let text = source.text(node, "`principal`", TEXT_CHARS_MAX)?;
            if !is_principal(&text) {
                let fix = "write \"session\", or one job such as \"job:nightly\"";
                source.report(node.span(), format!("{text:?} is no principal"), fix);
                return None;
            }
            text
        }
        None => contract.principals().first().cloned().unwrap_or_default(),
    };
    let Some(node) = of.table.get("earlier") else {
        return Some((text, principal, Vec::new()));
    };
    let items = source.items(node, "`earlier`")?;
    if items.len() > EARLIER_MAX {
        let problem = format!("the test has more than {EARLIER_MAX} earlier calls");
        source.report(node.span(), problem, "keep those that matter");
        return None;
    }
    let mut earlier = Vec::new();
    for item in items {
        let of = source.table(item, "`earlier`", &["tool", "args", "result", "output"])?;
        let (tool, args) = (tool(source, &of, catalogue)?, args(source, &of)?);
        let result = match of.table.get("result") {
            Some(node) => Some(value(source, node)?),
            None => None,
        };
        let output = match of.table.get("output") {
            Some(node) => labels(source, node)?,
            None => tool.output(),
        };
        earlier.push(Earlier {
            tool: tool.name().to_string(),
            args,
            result,
            output,
        });
    }
    Some((text, principal, earlier))
}

fn labels<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Labels> {
    let written = value(source, node)?;
    let labels = serde_json::from_value::<WrittenLabels>(written).ok();
    if labels.is_none() {
        let (integrity, secrecy) = (Integrity::Untrusted, Secrecy::Private);
        let like = serde_json::json!({ "integrity": integrity, "secrecy": secrecy });
        let fix = format!("write \"trusted\", \"untrusted\", or both labels as in {like}");
        source.report(node.span(), "`output` says no labels", fix);
    }
    labels.map(Labels::from)
}

fn expectation(source: &mut Source<'_>, node: &Node<'_>) -> Option<&'static str> {
    let words = ["allow", "ask", "deny"];
    let text = node.get_ref().as_str();
    let word = words.into_iter().find(|word| Some(*word) == text);
    if word.is_none() {
        let fix = "write \"allow\", \"ask\" or \"deny\"";
        source.report(node.span(), "`expect` is no verdict", fix);
    }
    word
}

fn tool<'t, 'c>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    catalogue: &'c Catalogue,
) -> Option<&'c Tool> {
    let node = source.required(of, "tool")?;
    let text = source.text(node, "`tool`", PATTERN_BYTES_MAX)?;
    let found = catalogue.get(&text);
    if found.is_none() {
        unknown_tool(source, node.span(), &text, catalogue);
    }
    found
}

fn args<'t>(source: &mut Source<'t>, of: &Table<'t>) -> Option<Map<String, Value>> {
    let Some(node) = of.table.get("args") else {
        return Some(Map::new());
    };
    let Some(table) = node.get_ref().as_table() else {
        source.mistyped(node, "`args`", "a table");
        return None;
    };
    map(source, table)
}

fn map(source: &mut Source<'_>, table: &DeTable<'_>) -> Option<Map<String, Value>> {
    let each = table.iter();
    each.map(|(key, node)| Some((key.get_ref().to_string(), value(source, node)?)))
        .collect()
}

/// Converts a TOML value to JSON.
fn value(source: &mut Source<'_>, node: &Node<'_>) -> Option<Value> {
    match node.get_ref() {
        DeValue::String(text) => Some(Value::from(text.as_ref())),
        DeValue::Boolean(value) => Some(Value::from(*value)),
        DeValue::Integer(_) => {
            let within = -json::INTEGER_MAX..=json::INTEGER_MAX;
            source
                .integer(node, "the argument", within)
                .map(Value::from)
        }
        DeValue::Float(written) => {
            let value = written.as_str().parse::<f64>().ok();
            let value = value
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number);
            if value.is_none() {
                source.report(
                    node.span(),
                    "no argument is infinite or NaN",
                    "write a number",
                );
            }
            value
        }
        DeValue::Array(items) => items.iter().map(|item| value(source, item)).collect(),
        DeValue::Table(table) => map(source, table).map(Value::Object),
        DeValue::Datetime(_) => {
            source.mistyped(node, "the argument", "the moment as a text in quotes");
            None
        }
    }
}

//! Runs the tests that stand in a contract.

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::source::{Fields, Node, Source};
use super::tools::unknown_tool;
use super::{TEXT_CHARS_MAX, head, is_principal};
use crate::budget::Shared;
use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::decide::{Call, Code, Verdict, decide};
use crate::flow::{Integrity, Labels, Secrecy, WrittenLabels};
use crate::glob::PATTERN_BYTES_MAX;
use crate::json;
use crate::record::{Record, View};

/// Most characters of the owner's words in a test.
const WORDS_CHARS_MAX: usize = 64 << 10;
/// Half a day in milliseconds.
const HALF_DAY_MS: i64 = 12 * 60 * 60 * 1000;
/// Most earlier calls of a test.
const EARLIER_MAX: usize = 1000;

/// Decides the call of one `[[test]]` after its earlier calls and notes when the verdict is
/// another than it expects, or when the test proves nothing.
pub(super) fn run<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    contract: &Contract,
    catalogue: &Catalogue,
) {
    let keys = [
        "call",
        "expect",
        "rule",
        "text",
        "earlier",
        "at",
        "principal",
    ];
    let Some(of) = source.table(node, "`[[test]]`", &keys) else {
        return;
    };
    let expected = source.required(&of, "expect");
    let expected = expected.and_then(|node| Some((expectation(source, node)?, node)));
    let call = source.required(&of, "call").and_then(|node| {
        let of = source.table(node, "`call`", &["tool", "args"])?;
        Some((tool(source, &of, catalogue)?, args(source, &of)?, node))
    });
    let rule = of.table.get("rule").map_or(Some(None), |node| {
        let text = source.text(node, "`rule`", 64)?;
        Some(Some((text, node)))
    });
    let now_ms = of.table.get("at").map_or(Some(usual_ms(contract)), |node| {
        head::moment(source, node, "at", false)
    });
    let before = before(source, &of, contract, catalogue, now_ms.unwrap_or_default());
    let (Some((expected, at)), Some((tool, args, call)), Some(rule)) = (expected, call, rule)
    else {
        return;
    };
    let (Some(now_ms), Some((record, shared))) = (now_ms, before) else {
        return;
    };
    let bytes = json::canonical(&Value::Object(args));
    let view = View {
        now_ms,
        record: &record,
        shared: &shared,
    };
    let said = Call {
        tool: tool.name().as_str(),
        args: &bytes,
    };
    let verdict = decide(contract, catalogue, &view, &said);
    let wanted = Wanted {
        word: (expected, at),
        rule,
    };
    compare(source, &verdict, &wanted, call);
}

/// What a test expects, each with its place.
struct Wanted<'t> {
    word: (&'static str, &'t Node<'t>),
    rule: Option<(String, &'t Node<'t>)>,
}

fn compare(source: &mut Source<'_>, verdict: &Verdict, wanted: &Wanted<'_>, call: &Node<'_>) {
    let (word, found, fix) = match verdict {
        Verdict::Granted { rule, .. } => ("allow", rule, None),
        Verdict::Ask { rule, .. } => ("ask", rule, None),
        Verdict::Refused {
            rule,
            code: Code::Arguments | Code::Schema,
            why,
            ..
        } => {
            let problem = format!("the test proves nothing, its call is no valid one: {why}");
            source.report(
                call.span(),
                problem,
                format!("correct the arguments ({rule})"),
            );
            return;
        }
        Verdict::Refused { rule, fix, .. } => ("deny", rule, fix.as_ref()),
    };
    let (expected, at) = wanted.word;
    if word != expected {
        let problem = format!("the test expects `{expected}`, but `{found}` says `{word}`");
        let fix = fix.map_or_else(
            || format!("change `{found}`, or expect `{word}`"),
            |fix| format!("{fix}\nor expect `{word}`"),
        );
        source.report(at.span(), problem, fix);
    } else if let Some((rule, node)) = wanted
        .rule
        .as_ref()
        .filter(|(rule, _)| rule != found.as_str())
    {
        let problem = format!("the test expects `{rule}` to decide, but `{found}` does");
        let fix = format!("change the rules, or expect `{found}`");
        source.report(node.span(), problem, fix);
    }
}

/// The moment of a test that does not say its own: the first of the contract, or half a day before its end.
fn usual_ms(contract: &Contract) -> i64 {
    let late = contract.expires_ms().saturating_sub(HALF_DAY_MS);
    contract.starts_ms().unwrap_or(late)
}

/// What is on record before the call.
fn before<'t>(
    source: &mut Source<'t>,
    of: &Fields<'t>,
    contract: &Contract,
    catalogue: &Catalogue,
    now_ms: i64,
) -> Option<(Record, Shared)> {
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
    let (mut record, mut shared) = (Record::new(principal, text), Shared::default());
    let Some(node) = of.table.get("earlier") else {
        return Some((record, shared));
    };
    let items = source.items(node, "`earlier`")?;
    if items.len() > EARLIER_MAX {
        let problem = format!("the test has more than {EARLIER_MAX} earlier calls");
        source.report(node.span(), problem, "keep those that matter");
        return None;
    }
    for item in items {
        let of = source.table(item, "`earlier`", &["tool", "args", "result", "output"])?;
        let (tool, args) = (tool(source, &of, catalogue)?, args(source, &of)?);
        let result = match of.table.get("result") {
            Some(node) => Some(value(source, node)?),
            None => None,
        };
        let labels = match of.table.get("output") {
            Some(node) => labels(source, node)?,
            None => tool.output(),
        };
        let bytes = json::canonical(&Value::Object(args.clone()));
        let name = tool.name().as_str();
        let view = View {
            now_ms,
            record: &record,
            shared: &shared,
        };
        let said = Call {
            tool: name,
            args: &bytes,
        };
        // What stands here happened; what the contract permits of it counts.
        if let Verdict::Granted { rule, reserve, .. } | Verdict::Ask { rule, reserve, .. } =
            decide(contract, catalogue, &view, &said)
        {
            let result = result.as_ref();
            let output_bytes = result.map_or(0, |result| json::canonical(result).len());
            record.done(&mut shared, now_ms, (&rule, &reserve), output_bytes);
        }
        let started = record.start(name, args, labels);
        record.succeed(&started, result);
    }
    Some((record, shared))
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
    of: &Fields<'t>,
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

fn args<'t>(source: &mut Source<'t>, of: &Fields<'t>) -> Option<Map<String, Value>> {
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

/// The JSON value that a TOML value stands for.
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

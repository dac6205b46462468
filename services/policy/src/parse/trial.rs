//! Runs the tests that stand in a contract.

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::rule::unknown_tool;
use super::source::{Fields, Node, Source};
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::decide::{Call, Code, Task, Verdict, decide};
use crate::glob::PATTERN_BYTES_MAX;
use crate::json;

/// Decides the call of one `[[test]]` as the first of a task and notes when the verdict is
/// another than it expects, or when the test proves nothing.
pub(super) fn run<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    contract: &Contract,
    catalogue: &Catalogue,
) {
    let Some(of) = source.table(node, "`[[test]]`", &["call", "expect"]) else {
        return;
    };
    let expected = source.required(&of, "expect");
    let expected = expected.and_then(|node| Some((expectation(source, node)?, node)));
    let call = source.required(&of, "call").and_then(|node| {
        let of = source.table(node, "`call`", &["tool", "args"])?;
        Some((tool(source, &of, catalogue)?, args(source, &of)?, node))
    });
    let (Some((expected, at)), Some((tool, args, call))) = (expected, call) else {
        return;
    };
    let task = Task::new(i64::MIN);
    let bytes = json::canonical(&Value::Object(args));
    let verdict = decide(
        contract,
        catalogue,
        &task,
        &Call {
            tool: &tool,
            args: &bytes,
        },
    );
    let (word, rule, fix) = match &verdict {
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
    if word != expected {
        let problem = format!("the test expects `{expected}`, but `{rule}` says `{word}`");
        let fix = fix.map_or_else(
            || format!("change `{rule}`, or expect `{word}`"),
            |fix| format!("{fix}\nor expect `{word}`"),
        );
        source.report(at.span(), problem, fix);
    }
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

fn tool<'t>(source: &mut Source<'t>, of: &Fields<'t>, catalogue: &Catalogue) -> Option<String> {
    let node = source.required(of, "tool")?;
    let text = source.text(node, "`tool`", PATTERN_BYTES_MAX)?;
    if catalogue.get(&text).is_none() {
        unknown_tool(source, node, &text, catalogue);
        return None;
    }
    Some(text)
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

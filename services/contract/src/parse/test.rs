//! Parses the inline tests of a contract.

use std::ops::Range;

use diagnostic::nearest;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::source::{Node, Source, TASK_CHARS_MAX, TEXT_CHARS_MAX, Table, name};
use super::tools::unknown_tool;
use super::{head, slots};
use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::decide::ARGUMENTS_BYTES_MAX;
use crate::labels::{Integrity, Labels, Secrecy, WrittenLabels};
use crate::name::is_principal;
use crate::pattern::PATTERN_BYTES_MAX;
use crate::test_call::{Earlier, TestCall};
use bus_schema::json;

/// Half a day in milliseconds.
const HALF_DAY_MS: i64 = 12 * 60 * 60 * 1000;
const EARLIER_KEYS: [&str; 7] = [
    "tool",
    "args",
    "args_json",
    "result",
    "result_json",
    "output",
    "assumed",
];
/// Maximum number of earlier calls of a test.
const EARLIER_MAX: usize = 1000;

/// A `[[test]]`: a call and the expected verdict, with their places.
pub(crate) struct Test {
    /// The name by which later tests refer to it.
    pub(crate) name: Option<String>,
    pub(crate) call: TestCall,
    pub(crate) call_span: Range<usize>,
    /// The places of the earlier calls.
    pub(crate) earlier_spans: Vec<Range<usize>>,
    /// `allow`, `ask` or `deny`.
    pub(crate) expect: &'static str,
    pub(crate) expect_span: Range<usize>,
    /// The expected deciding rule, if given.
    pub(crate) rule: Option<(String, Range<usize>)>,
}

/// The context in which a test is read.
pub(super) struct Context<'c> {
    pub(super) contract: &'c Contract,
    pub(super) catalogue: &'c Catalogue,
    /// The tests above it.
    pub(super) before: &'c [Test],
}

const TEST_KEYS: [&str; 12] = [
    "name",
    "like",
    "call",
    "args",
    "args_json",
    "expect",
    "rule",
    "text",
    "slots",
    "earlier",
    "at",
    "principal",
];

/// Parses one `[[test]]`. The defaults are those of the test that it is like, else the contract's task text, its first
/// principal and its default moment.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    about: &Context<'_>,
) -> Option<Test> {
    let of = source.table(node, "`[[test]]`", &TEST_KEYS)?;
    let name = test_name(source, &of, about);
    let expected = source.required(&of, "expect");
    let expected = expected.and_then(|node| Some((expectation(source, node)?, node.span())));
    let like = like(source, &of, about)?;
    let call = call(source, &of, about, like);
    let rule = of.table.get("rule").map_or(Some(None), |node| {
        let text = source.text(node, "`rule`", 64)?;
        Some(Some((text, node.span())))
    });
    let usual = like.map_or_else(|| usual_ms(about.contract), |like| like.call.at_ms);
    let at_ms = of
        .table
        .get("at")
        .map_or(Some(usual), |node| head::moment(source, node, "at", false));
    let text = match of.table.get("text") {
        Some(node) => source.text(node, "`text`", TASK_CHARS_MAX).map(Some),
        None => Some(like.map_or_else(
            || about.contract.task().map(str::to_owned),
            |like| like.call.text.clone(),
        )),
    };
    let principal = principal(source, &of, about, like);
    let earlier = earlier(source, &of, about, like);
    let given = like.map(|like| like.call.slots.clone()).unwrap_or_default();
    let under = (about.contract, at_ms.unwrap_or(usual));
    let slots = slots::of_test(source, of.table.get("slots"), under, given);
    let ((expect, expect_span), (tool, args, call_span)) = (expected?, call?);
    let ((earlier, earlier_spans), slots) = (earlier?, slots?);
    let tools = earlier.iter().map(|one| one.tool.as_str());
    let tools = tools.chain([tool.as_str()]);
    slots::needed(source, &call_span, (about.contract, &slots), tools)?;
    Some(Test {
        name: name?,
        call: TestCall {
            tool,
            args,
            text: text?,
            slots,
            earlier,
            principal: principal?,
            at_ms: at_ms?,
        },
        call_span,
        earlier_spans,
        expect,
        expect_span,
        rule: rule?,
    })
}

/// Reads `name`; the outer `None` means that a problem was reported.
fn test_name<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &Context<'_>,
) -> Option<Option<String>> {
    let Some(node) = of.table.get("name") else {
        return Some(None);
    };
    let text = name(source, node, "`name`")?;
    if about
        .before
        .iter()
        .any(|test| test.name.as_ref() == Some(&text))
    {
        let problem = format!("another test is called `{text}`");
        source.report(node.span(), problem, "choose another name");
        return None;
    }
    Some(Some(text))
}

/// Returns the test that this one is like; the outer `None` means that a problem was reported.
fn like<'t, 'c>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &Context<'c>,
) -> Option<Option<&'c Test>> {
    let Some(node) = of.table.get("like") else {
        return Some(None);
    };
    let text = source.text(node, "`like`", 64)?;
    let mut before = about.before.iter();
    let found = before.find(|test| test.name.as_ref() == Some(&text));
    if found.is_none() {
        let names = about.before.iter().filter_map(|test| test.name.as_deref());
        let fix = nearest(&text, names).map_or_else(
            || "write `name = …` in the test, above this one".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        source.report(
            node.span(),
            format!("no test above is called `{text}`"),
            fix,
        );
        return None;
    }
    Some(found)
}

/// Reads the tool and the arguments of the call, with its place.
fn call<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &Context<'_>,
    like: Option<&Test>,
) -> Option<(String, Map<String, Value>, Range<usize>)> {
    let mut changes = ["args", "args_json"].into_iter();
    let changes = changes.find_map(|key| of.table.get(key));
    let Some(like) = like else {
        if let Some(node) = changes {
            let fix = "write them in `call = { tool = …, args = … }`";
            source.report(node.span(), "the arguments are outside of `call`", fix);
            return None;
        }
        let node = source.required(of, "call")?;
        let of = source.table(node, "`call`", &["tool", "args", "args_json"])?;
        let tool = tool(source, &of, about.catalogue)?.name().to_string();
        return Some((tool, args(source, &of)?, node.span()));
    };
    if let Some(node) = of.table.get("call") {
        let problem = format!(
            "the test is like `{}` and has a call of its own",
            like.name.as_deref().unwrap_or_default()
        );
        source.report(
            node.span(),
            problem,
            "write only the changed arguments, as `args = { … }`",
        );
        return None;
    }
    let mut whole = like.call.args.clone();
    whole.extend(args(source, of)?);
    let span = changes.map_or_else(|| of.span.clone(), |node| node.span());
    Some((like.call.tool.clone(), whole, span))
}

/// The default moment of a test: the start of the contract, or half a day before its expiry.
fn usual_ms(contract: &Contract) -> i64 {
    let late = contract.expires_ms().saturating_sub(HALF_DAY_MS);
    contract.starts_ms().unwrap_or(late)
}

fn principal<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &Context<'_>,
    like: Option<&Test>,
) -> Option<String> {
    let Some(node) = of.table.get("principal") else {
        let first = || about.contract.principals().first().cloned();
        let own = like.map(|like| like.call.principal.clone());
        return Some(own.or_else(first).unwrap_or_default());
    };
    let text = source.text(node, "`principal`", TEXT_CHARS_MAX)?;
    if !is_principal(&text) {
        let fix = "write \"session\", or one job such as \"job:nightly\"";
        source.report(node.span(), format!("{text:?} is no principal"), fix);
        return None;
    }
    Some(text)
}

/// Earlier calls and their places.
type EarlierCalls = (Vec<Earlier>, Vec<Range<usize>>);

/// Reads the earlier calls; those of the test that it is like have the place of the whole test.
fn earlier<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &Context<'_>,
    like: Option<&Test>,
) -> Option<EarlierCalls> {
    let Some(node) = of.table.get("earlier") else {
        let calls = like
            .map(|like| like.call.earlier.clone())
            .unwrap_or_default();
        let spans = vec![of.span.clone(); calls.len()];
        return Some((calls, spans));
    };
    let items = source.items(node, "`earlier`")?;
    if items.len() > EARLIER_MAX {
        let problem = format!("the test has more than {EARLIER_MAX} earlier calls");
        source.report(node.span(), problem, "keep those that matter");
        return None;
    }
    let mut earlier = (Vec::new(), Vec::new());
    for item in items {
        let of = source.table(item, "`earlier`", &EARLIER_KEYS)?;
        let (tool, args) = (tool(source, &of, about.catalogue)?, args(source, &of)?);
        let result = result(source, &of)?;
        let output = match of.table.get("output") {
            Some(node) => labels(source, node)?,
            None => tool.output(),
        };
        let assumed = match of.table.get("assumed") {
            Some(node) => source.boolean(node, "`assumed`")?,
            None => false,
        };
        earlier.0.push(Earlier {
            tool: tool.name().to_string(),
            args,
            result,
            output,
            assumed,
        });
        earlier.1.push(item.span());
    }
    Some(earlier)
}

/// Reads the result of an earlier call; the outer `None` means that a problem was reported.
fn result<'t>(source: &mut Source<'t>, of: &Table<'t>) -> Option<Option<Value>> {
    match (of.table.get("result"), of.table.get("result_json")) {
        (None, None) => Some(None),
        (Some(_), Some(node)) => {
            let problem = "`result` and `result_json` are two ways to write the result";
            source.report(node.span(), problem, "keep one of them");
            None
        }
        (Some(node), None) => value(source, node).map(Some),
        (None, Some(node)) => {
            strict(source, node, "`result_json`", json::RESULT_BYTES_MAX).map(Some)
        }
    }
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
    match (of.table.get("args"), of.table.get("args_json")) {
        (None, None) => Some(Map::new()),
        (Some(_), Some(node)) => {
            let problem = "`args` and `args_json` are two ways to write the arguments";
            source.report(node.span(), problem, "keep one of them");
            None
        }
        (Some(node), None) => {
            let Some(table) = node.get_ref().as_table() else {
                source.mistyped(node, "`args`", "a table");
                return None;
            };
            map(source, table)
        }
        (None, Some(node)) => match strict(source, node, "`args_json`", ARGUMENTS_BYTES_MAX)? {
            Value::Object(args) => Some(args),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                let fix = "write an object, such as '{\"cc\": null}'";
                source.report(node.span(), "`args_json` is no JSON object", fix);
                None
            }
        },
    }
}

/// Reads a text of strict JSON, for values that TOML cannot write.
fn strict(source: &mut Source<'_>, node: &Node<'_>, what: &str, most: usize) -> Option<Value> {
    let text = source.text(node, what, most)?;
    json::parse(text.as_bytes(), most)
        .map_err(|error| {
            let fix = "write strict JSON in single quotes, such as '{\"cc\": null}'";
            source.report(node.span(), format!("{what} cannot be read: {error}"), fix);
        })
        .ok()
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

//! Drafts a contract that permits exactly the recorded calls, or what the text of a task needs.

use std::collections::BTreeMap;

use bus_schema::SecretName;
use serde_json::{Map, Value};

use crate::catalogue::{Catalogue, Tool};
use crate::cedar::Condition;
use crate::labels::Integrity;
use crate::matcher::Matcher;
use crate::name::rule_id;
use crate::rule::{Question, Rule, RuleKind};
use crate::toml_text::quoted;

mod exact;
mod roles;
mod scope;
mod task;
mod text;

use self::exact::Exact;
pub use self::scope::{DraftScope, ModelRule};
pub use self::task::{draft_in_scope, draft_of_text};
pub use self::text::DraftHeader;

/// The reason of an ask for a call that cannot be described exactly.
const NOT_EXACT: &str = "the contract cannot say exactly what this call said; read it";

/// The reason of an ask for a call whose values may come from untrusted data.
const UNTRUSTED: &str =
    "the recorded task had read what anybody may have written before this call; read its values";

/// A recorded call that was granted and succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub args: Map<String, Value>,
    /// The reason of its question, if a person was asked.
    pub asked: Option<String>,
    /// The secrets that could be released for the call.
    pub secrets: Vec<SecretName>,
    /// The tokens that were reserved for the call.
    pub tokens: u64,
}

/// Writes a contract that permits exactly these calls, each as often as it was recorded, with a test for each.
///
/// Calls that the language cannot describe exactly (a long text, a list of objects) become asks, and so does a call with
/// arguments that follows one with an untrusted result: its values may be an attacker's.
#[must_use]
pub fn draft_of_calls(header: &DraftHeader, calls: &[Recorded], catalogue: &Catalogue) -> String {
    let hosts = text::host_line(catalogue, |name| calls.iter().any(|call| call.tool == name));
    let mut text = head(header, &hosts, calls.len().max(1));
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let calls = suspected(calls, catalogue);
    for rule in rules(&calls, catalogue) {
        let tool = text::slug(&rule.tool.to_string());
        let place = names.entry(tool.clone()).or_default();
        *place += 1;
        let name = if *place == 1 {
            tool
        } else {
            format!("{tool}-{place}")
        };
        let id = rule_id(&name);
        text.push_str(&format!("\n{}", Rule { id, ..rule }));
    }
    if calls.is_empty() {
        text.push_str("\nallow = []\n");
    }
    for (call, expect) in tests(&calls) {
        let args = text::table(&call.args);
        text.push_str(&format!(
            "\n[[test]]\ncall = {{ tool = {}, args = {args} }}\nexpect = \"{expect}\"\n",
            quoted(&call.tool)
        ));
    }
    text
}

/// Adds a question to each call that may have values of untrusted data.
fn suspected(calls: &[Recorded], catalogue: &Catalogue) -> Vec<Recorded> {
    let mut tainted = false;
    let each = calls.iter().map(|call| {
        let mut call = call.clone();
        if tainted && !call.args.values().all(Value::is_null) {
            call.asked.get_or_insert_with(|| UNTRUSTED.to_owned());
        }
        let tool = catalogue.get(&call.tool);
        tainted |= tool.is_none_or(|tool| tool.output().integrity == Integrity::Untrusted);
        call
    });
    each.collect()
}

fn head(header: &DraftHeader, hosts: &str, calls: usize) -> String {
    let DraftHeader {
        name,
        purpose,
        owner,
        expires,
        folders: _,
    } = header;
    let folders = header.folder_lines();
    format!(
        "# What a recorded task did, and nothing more. The order of the items of a list is not looked at.\n\
         contract = {}\nversion = 1\npurpose = {}\nowner = {}\nexpires = {expires}\n{folders}{hosts}\n[limits]\ncalls = {calls}\n",
        quoted(name),
        quoted(purpose),
        quoted(owner)
    )
}

/// Creates one rule for all equal calls.
fn rules(calls: &[Recorded], catalogue: &Catalogue) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for call in calls {
        let new = rule(call, catalogue);
        match rules.iter_mut().find(|rule| alike(rule, &new)) {
            Some(same) => {
                let calls = &mut same.quotas.task.calls;
                *calls = Some(calls.unwrap_or_default().saturating_add(1));
            }
            None => rules.push(new),
        }
    }
    rules
}

/// Returns each recorded call once, with the verdict of the contract.
fn tests(calls: &[Recorded]) -> Vec<(&Recorded, &'static str)> {
    let mut tests: Vec<(&Recorded, &'static str)> = Vec::new();
    for call in calls {
        let known = |(one, _): &(&Recorded, _)| one.tool == call.tool && one.args == call.args;
        if !tests.iter().any(known) {
            let asked = call.asked.is_some() || !exact::of(&call.args).complete;
            tests.push((call, if asked { "ask" } else { "allow" }));
        }
    }
    tests
}

/// Creates a rule for exactly one call.
fn rule(call: &Recorded, catalogue: &Catalogue) -> Rule {
    let Exact {
        bounds,
        conditions,
        complete,
    } = exact::of(&call.args);
    let tool = catalogue.get(&call.tool);
    let schema = tool.map(Tool::input_schema);
    let when = schema
        .filter(|_| !conditions.is_empty())
        .map(|schema| Condition::parse(&conditions.join(" && "), &[(call.tool.as_str(), schema)]));
    let complete = complete && !matches!(when, Some(Err(_)));
    let kind = match &call.asked {
        Some(reason) => RuleKind::Ask(Question::to_owner(reason.clone())),
        None if complete => RuleKind::Allow,
        None => RuleKind::Ask(Question::to_owner(NOT_EXACT)),
    };
    let exactly = Matcher::Exact(call.tool.clone());
    let mut rule = Rule::about(rule_id("recorded"), kind, exactly);
    rule.bounds = bounds;
    rule.only = true;
    rule.when = when.and_then(Result::ok);
    rule.secrets = call.secrets.clone();
    // A tool that uses one now may not have used one when the call was recorded.
    let used = tool.and_then(Tool::secret);
    let used = used.filter(|used| !rule.secrets.contains(used)).cloned();
    rule.secrets.extend(used);
    rule.tokens = call.tokens;
    rule.quotas.task.calls = Some(1);
    rule
}

/// Returns true if two rules are equal except for their number of calls.
fn alike(one: &Rule, other: &Rule) -> bool {
    let uncounted = |rule: &Rule| {
        let mut rule = rule.clone();
        rule.quotas.task.calls = None;
        rule
    };
    uncounted(one) == uncounted(other)
}

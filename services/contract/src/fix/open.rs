//! The values of a refused call that its fix leaves open, because no trusted source names them.

use std::ops::Range;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::bound::matching::Match;
use crate::bound::origin::Origin;
use crate::bound::scalar::Scalar;
use crate::bound::spoken::Spoken;
use crate::combine::RuleMatches;
use crate::labels::Labels;
use crate::parse::source::Node;
use crate::rule::{Rule, RuleKind};
use crate::valid_call::ValidCall;

/// Maximum number of tools that a comment names.
const TOOLS_MAX: usize = 3;

/// The sources that may name the values of a refused call.
pub(super) struct Sources<'a> {
    case: &'a ValidCall<'a>,
    /// The rules that permit the tool.
    permit: Vec<&'a Rule>,
    tainted: bool,
}

impl<'a> Sources<'a> {
    pub(super) fn new(judged: &RuleMatches<'a>, case: &'a ValidCall<'a>) -> Self {
        let rules = judged.iter().map(|(rule, _)| *rule);
        let labels = case.context.view.record.labels();
        Self {
            case,
            permit: rules.filter(|rule| rule.kind != RuleKind::Deny).collect(),
            tainted: labels.is_untrusted(),
        }
    }

    /// Returns true if the task has read what anybody may have written.
    pub(super) fn tainted(&self) -> bool {
        self.tainted
    }

    /// Returns true if the argument has to be left open: the task has read untrusted data, and neither the contract,
    /// the owner's words nor a trusted result names the value.
    pub(super) fn is_open(&self, name: &str, value: &Value) -> bool {
        self.tainted && !self.names(name, value)
    }

    /// Returns true if any argument of the call has to be left open.
    pub(super) fn any_open(&self) -> bool {
        let mut each = self.case.context.args.iter();
        each.any(|(name, value)| self.is_open(name, value))
    }

    fn names(&self, name: &str, value: &Value) -> bool {
        let context = &self.case.context;
        let mut bounds = self.bounds(name);
        let determined = bounds.any(|bound| {
            bound.judge(Some(value), context) == Match::Yes && bound.determines(value, context)
        });
        determined
            || match value {
                Value::Null => true,
                Value::Array(items) => items.iter().all(|item| self.names(name, item)),
                // Anybody may have chosen a name that no bound has.
                Value::Object(fields) => fields.iter().all(|(field, value)| {
                    let inner = format!("{name}.{field}");
                    self.bounds(&inner).next().is_some() && self.names(&inner, value)
                }),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    self.is_said(value) || self.writes(name, value)
                }
            }
    }

    /// Returns true if the owner filled a slot with the value, or the owner's words name it, and neither negate nor only
    /// quote it.
    fn is_said(&self, value: &Value) -> bool {
        let context = &self.case.context;
        let slots = context.view.record.slots();
        if slots.is_some_and(|slots| slots.iter().any(|(_, own)| own == value)) {
            return true;
        }
        let words = Origin::Task(Spoken::default());
        words.judge(value, context) == Match::Yes && words.doubt(value, context).is_none()
    }

    fn bounds(&self, name: &str) -> impl Iterator<Item = &'a Bound> {
        let rules = self.permit.iter();
        rules.filter_map(move |rule| rule.bounds.get(name))
    }

    /// Returns true if a bound of the argument has the value as a literal, or as one of a known set.
    fn writes(&self, name: &str, value: &Value) -> bool {
        let Some(value) = Scalar::of(value) else {
            return false;
        };
        let text = value.to_string();
        let mut bounds = self.bounds(name);
        bounds.any(|bound| {
            let mut sets = Vec::new();
            bound.add_known(&mut sets);
            sets.iter().any(|set| set.values.contains(&value))
                || literals(&bound.to_string()).contains(&text)
        })
    }

    /// Returns the comment that says where the value can come from.
    pub(super) fn comment(&self) -> String {
        let record = self.case.context.view.record;
        let tools = record.sources(Labels::is_untrusted);
        let tools: Vec<String> = tools
            .take(TOOLS_MAX)
            .map(|tool| format!("`{tool}`"))
            .collect();
        if tools.is_empty() {
            return "no trusted source names the call's value".to_owned();
        }
        format!(
            "no trusted source names the call's value; untrusted data came from {}",
            tools.join(" and ")
        )
    }

    /// Writes an open place of a fix: no TOML value, so that nobody writes it into a contract as it is.
    pub(super) fn line(&self, line: &str) -> String {
        format!("{line} # {}", self.comment())
    }
}

/// Returns the question that stands for the value of an argument.
pub(super) fn question(name: &str, value: &Value) -> &'static str {
    let last = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let is = |words: &[&str]| last.split(['_', '-']).any(|part| words.contains(&part));
    if value.is_boolean() {
        "<true or false?>"
    } else if is(&["amount", "price", "sum", "total", "spend"]) {
        "<how much?>"
    } else if ["to", "send_to", "reply_to"].contains(&last.as_str())
        || is(&[
            "cc",
            "bcc",
            "recipient",
            "recipients",
            "email",
            "participants",
            "attendees",
        ])
    {
        "<to whom?>"
    } else if is(&["path", "paths", "file", "files", "folder", "directory"]) {
        "<which path?>"
    } else if is(&["url", "link", "host", "domain", "site"]) {
        "<to which address?>"
    } else if is(&[
        "body", "text", "content", "message", "subject", "title", "note", "notes",
    ]) {
        "<which text?>"
    } else if value.is_number() {
        "<which number?>"
    } else {
        "<which value?>"
    }
}

/// Replaces each literal of the bound or quota `new` that `old` does not have with `question`; `None` if it has no
/// other literal, or does not parse.
pub(super) fn masked(new: &str, old: &str, question: &str) -> Option<String> {
    let known = literals(old);
    let mut text = new.to_owned();
    let mut found = false;
    for place in places(new)?.into_iter().rev() {
        let literal = new.get(place.clone())?;
        if !known.iter().any(|one| one == literal) {
            text.replace_range(place, question);
            found = true;
        }
    }
    found.then_some(text)
}

/// Returns the literals of a TOML value, as written.
fn literals(value: &str) -> Vec<String> {
    let places = places(value).unwrap_or_default().into_iter();
    let each = places.filter_map(|place| value.get(place));
    each.map(str::to_owned).collect()
}

/// Returns the places of the literals in a TOML value, in order.
fn places(value: &str) -> Option<Vec<Range<usize>>> {
    const KEY: &str = "x = ";
    let document = format!("{KEY}{value}");
    let table = DeTable::parse(&document).ok()?;
    let mut found = Vec::new();
    table
        .get_ref()
        .values()
        .for_each(|node| leaves(node, &mut found));
    found.sort_by_key(|place| place.start);
    let start = KEY.len();
    let each = found.into_iter();
    Some(
        each.map(|place| place.start - start..place.end - start)
            .collect(),
    )
}

fn leaves(node: &Node<'_>, found: &mut Vec<Range<usize>>) {
    match node.get_ref() {
        DeValue::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        DeValue::Table(table) => table.values().for_each(|value| leaves(value, found)),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => found.push(node.span()),
    }
}

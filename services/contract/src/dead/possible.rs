//! Narrows the values that a place of a call can have by the bounds on it, and says why none is left.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text::Text;
use crate::bound::matching::{CallContext, Match};
use crate::catalogue::{Catalogue, Tool};
use crate::schema::domain::{Alternative, Domain, TypeSet};

/// The reason why nothing matches, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) problem: String,
    pub(crate) fix: String,
}

impl Reason {
    pub(crate) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

/// The tool of the calls, and what else can happen under the contract.
#[derive(Clone, Copy)]
pub(crate) struct Around<'c> {
    pub(crate) tool: &'c Tool,
    pub(crate) arguments: &'c Domain<'c>,
    pub(crate) catalogue: &'c Catalogue,
    /// The tools with a call that the contract can permit.
    pub(crate) permitted: &'c BTreeSet<String>,
    /// A call without arguments, for bounds that read nothing but the value.
    pub(crate) nothing: CallContext<'c>,
}

impl Around<'_> {
    /// Returns the tool, unless no call of it can have happened before.
    pub(crate) fn earlier(&self, tool: &str) -> Result<&Tool, Reason> {
        if self.permitted.contains(tool)
            && let Some(tool) = self.catalogue.get(tool)
        {
            return Ok(tool);
        }
        let problem = format!("no rule permits a call of `{tool}` before, so this never matches");
        let fix = format!("add an `[[allow]]` or `[[ask]]` for `{tool}`, or remove this");
        Err(Reason::new(problem, fix))
    }
}

/// The values that are left at a place.
pub(crate) struct Possible<'c> {
    left: Option<Alternative<'c>>,
    texts: Vec<Text>,
    reason: Option<Reason>,
    pub(crate) around: Around<'c>,
}

impl<'c> Possible<'c> {
    pub(crate) fn new(all: Alternative<'c>, around: Around<'c>) -> Self {
        Self {
            left: Some(all),
            texts: Vec::new(),
            reason: None,
            around,
        }
    }

    /// Returns why no value is left, or `None` if one may be.
    pub(crate) fn reason(self) -> Option<Reason> {
        self.reason
    }

    /// Records that nothing is left.
    pub(crate) fn never(&mut self, reason: Reason) {
        self.left = None;
        self.reason.get_or_insert(reason);
    }

    fn change(&mut self, change: impl FnOnce(&mut Alternative<'c>), why: impl FnOnce() -> Reason) {
        let Some(mut left) = self.left.take() else {
            return;
        };
        change(&mut left);
        match left.settle() {
            Some(rest) => self.left = Some(rest),
            None => self.never(why()),
        }
    }

    /// The types of the values that are left.
    pub(crate) fn has(&self) -> TypeSet {
        let left = self.left.as_ref();
        left.map_or(TypeSet::of_words([]), |left| left.types)
    }

    /// The rest, as the values of a place.
    pub(crate) fn domain(&self) -> Domain<'c> {
        let each = self.left.iter().cloned().collect();
        self.around.arguments.with(each)
    }

    /// Keeps values of these words of JSON Schema; none means all.
    pub(crate) fn types(&mut self, words: &[&str]) {
        if !words.is_empty() {
            self.of(TypeSet::of_words(words.iter().copied()));
        }
    }

    /// Keeps values of these types.
    pub(crate) fn of(&mut self, types: TypeSet) {
        let before = self.has();
        self.change(
            |left| left.types = left.types.and(types),
            || {
                let (has, wants) = (before.words(), types.words());
                let problem = format!("the value is {has}, and the bound matches only {wants}");
                Reason::new(problem, format!("write a bound for {has}"))
            },
        );
    }

    /// Keeps numbers from `least` to `most`.
    pub(crate) fn number(&mut self, least: Option<f64>, most: Option<f64>) {
        let before = self.left.as_ref().map(|left| left.number);
        let offer = self.offer();
        let listed = self.left.as_ref().is_some_and(|left| left.values.is_some());
        self.change(
            |left| {
                left.number.0 = left.number.0.max(least.unwrap_or(f64::NEG_INFINITY));
                left.number.1 = left.number.1.min(most.unwrap_or(f64::INFINITY));
            },
            || {
                let (from, to) = before.unwrap_or_default();
                let problem = format!(
                    "no number that the tool takes is in this range; it takes {}",
                    range(from, to)
                );
                if listed {
                    return Reason::new("no number that the tool takes is in this range", offer);
                }
                Reason::new(problem, "write a range that the schema of the tool permits")
            },
        );
    }

    /// Keeps texts with `least` to `most` characters, and lists with as many items.
    pub(crate) fn length(&mut self, least: u64, most: u64) {
        self.change(
            |left| {
                left.length = (left.length.0.max(least), left.length.1.min(most));
                left.items = (left.items.0.max(least), left.items.1.min(most));
            },
            || {
                Reason::new(
                    "no value that the tool takes and the other bounds match has this length",
                    "write a length that the schema of the tool and the other bounds permit",
                )
            },
        );
    }

    /// Keeps lists with at least one item.
    pub(crate) fn some_items(&mut self) {
        self.of(TypeSet::LIST);
        self.change(
            |left| left.items.0 = left.items.0.max(1),
            || {
                Reason::new(
                    "the list is always empty, and the bound wants an item",
                    "remove the bound",
                )
            },
        );
    }

    /// Keeps texts of this form.
    pub(crate) fn text(&mut self, text: Text) {
        self.of(TypeSet::TEXT);
        if let Some(other) = self.texts.iter().find(|other| other.excludes(&text)) {
            let problem = format!("no text both {} and {}", other.said(), text.said());
            self.never(Reason::new(problem, "keep one of the two, or correct one"));
            return;
        }
        self.texts.push(text);
        let least = Text::least(&self.texts);
        self.change(
            |left| left.length.0 = left.length.0.max(least),
            || {
                let problem = format!(
                    "a text that matches is longer than permitted: {least} or more characters"
                );
                Reason::new(problem, "shorten the bound, or permit a longer text")
            },
        );
    }

    /// Keeps the listed values that match, if the values are listed.
    pub(crate) fn keep(&mut self, matches: impl Fn(&Value, &CallContext<'_>) -> Match) {
        let nothing = self.around.nothing;
        let listed = self.left.as_ref().and_then(|left| left.values.clone());
        self.change(
            |left| {
                if let Some(values) = &mut left.values {
                    values.retain(|value| matches(value, &nothing) == Match::Yes);
                }
            },
            || {
                let each = listed.iter().flatten().take(8).map(ToString::to_string);
                let each = each.collect::<Vec<_>>().join(", ");
                let problem =
                    format!("none of the values that the tool takes matches; it takes {each}");
                Reason::new(problem, "write a bound that one of them matches")
            },
        );
    }

    /// The repair of values that the tool does not take.
    pub(crate) fn offer(&self) -> String {
        let values = self.left.as_ref().and_then(|left| left.values.as_ref());
        let each = values
            .into_iter()
            .flatten()
            .take(8)
            .map(ToString::to_string);
        match each.collect::<Vec<_>>().as_slice() {
            [] => "write a value that the schema of the tool permits".to_owned(),
            each => format!("write one of {}", each.join(", ")),
        }
    }

    /// Returns true if one of these values is left.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        self.left.as_ref().is_some_and(|left| left.takes(value))
    }
}

fn range(from: f64, to: f64) -> String {
    match (from.is_finite(), to.is_finite()) {
        (true, true) => format!("{from} to {to}"),
        (true, false) => format!("{from} and more"),
        (false, true) => format!("{to} and less"),
        (false, false) => "whole numbers".to_owned(),
    }
}

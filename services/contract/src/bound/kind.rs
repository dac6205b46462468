//! The shape of a kind of bound, and how its table is read.
//!
//! To add a kind of bound:
//!
//! 1. A file `bound/<name>.rs` with a type that implements `Kind`: its keys in the contract, how it is read, written, matched and
//!    said, and, where it applies, whether it determines a value and how it widens. Take `bound/prefix.rs` as the example.
//! 2. A line in the table `predicates!` of `bound.rs`. Its place is that in which bounds are written.
//! 3. Cases in `tests/conformance`, one for each outcome; a row in the table of the README.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::matching::{CallContext, Match};
use super::origin::Origin;
use crate::parse::source::{Fields, Node, Source};
use crate::parse::tools::About;
use crate::show::words::counted;

/// Most characters of a text that a bound names.
pub(crate) const VALUE_CHARS_MAX: usize = 4096;

/// A kind of bound on a value.
pub(crate) trait Kind: Sized + Display {
    /// Its keys in the contract.
    const KEYS: &'static [&'static str];

    /// Reads it out of a table: nothing if no key of it is there, none if what is there was reported.
    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>>;

    /// The JSON Schema types that it can match; empty for any.
    fn types(&self) -> &'static [&'static str];

    /// Matches a value of the call.
    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match;

    /// Matches an argument, which the call may lack.
    fn judge_argument(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match {
        value.map_or(Match::Unknown, |value| self.judge(value, context))
    }

    /// The end of a sentence about a value that matches: `begins with "a"`.
    fn say(&self, unit: Unit) -> String;

    /// Whether the contract, the owner's words or a trusted result named this very value, which matches.
    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        false
    }

    /// The same bound, wide enough for a value that does not match; none if there is no such bound worth reading.
    fn widen(&self, _value: &Value, _context: &CallContext<'_>) -> Option<Self> {
        None
    }

    /// The places that its values come from.
    fn origins(&self) -> &[Origin] {
        &[]
    }
}

/// A bound inside of a bound.
pub(crate) trait Inner: Sized + Display {
    /// Reads it at this depth of nesting.
    fn read<'t>(
        source: &mut Source<'t>,
        node: &'t Node<'t>,
        depth: usize,
        about: &About<'_>,
    ) -> Option<Self>;
    /// Matches an argument, which the call may lack.
    fn judge(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match;
    /// Matches the argument of this name; unknown if two could be meant.
    fn judge_at(&self, args: &Map<String, Value>, name: &str, context: &CallContext<'_>) -> Match;
    /// The end of a sentence about a value that matches.
    fn say(&self, unit: Unit) -> String;
    /// The end of a sentence about a value that does not match.
    fn say_not(&self, unit: Unit) -> String;
    /// As [`Kind::determines`].
    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool;
    /// As [`Kind::widen`].
    fn widen(&self, value: Option<&Value>, context: &CallContext<'_>) -> Option<Self>;
}

/// The table of one bound.
pub(crate) struct Reader<'s, 't, 'a> {
    pub(crate) source: &'s mut Source<'t>,
    pub(crate) of: Fields<'t>,
    /// How deep the bound is nested.
    pub(crate) depth: usize,
    pub(crate) about: &'a About<'a>,
}

impl<'t> Reader<'_, 't, '_> {
    /// The value of a key, if it is there.
    pub(crate) fn node(&self, key: &str) -> Option<&'t Node<'t>> {
        self.of.table.get(key)
    }

    /// Reads the value of a key, if it is there.
    pub(crate) fn one<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self, &'t Node<'t>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.node(key) {
            Some(node) => Some(vec![read(self, node)?]),
            None => Some(Vec::new()),
        }
    }

    /// Reads the bound under a key, if it is there.
    pub(crate) fn inner<B: Inner>(&mut self, key: &str) -> Option<Vec<B>> {
        self.one(key, |reader, node| {
            B::read(reader.source, node, reader.depth + 1, reader.about)
        })
    }
}

/// What the length of a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Characters of a text.
    Characters,
    /// Items of a list.
    Items,
    /// Either of them.
    Either,
}

impl Unit {
    /// By the types that the tools declare for the argument.
    pub(crate) fn of(types: &[Vec<String>]) -> Self {
        let all = |wanted: &str| {
            let fits = |of: &Vec<String>| of.iter().all(|one| one == wanted || one == "null");
            !types.is_empty() && types.iter().all(|of| !of.is_empty() && fits(of))
        };
        if all("string") {
            Self::Characters
        } else if all("array") {
            Self::Items
        } else {
            Self::Either
        }
    }

    pub(crate) fn word(self, many: u64) -> String {
        match self {
            Self::Characters => counted(many, "character", "characters"),
            Self::Items => counted(many, "item", "items"),
            Self::Either => format!(
                "{} or {}",
                counted(many, "character", "characters"),
                "items"
            ),
        }
    }
}

/// Writes what is given of two ends as the entries of a TOML inline table.
pub(crate) fn entries<T: Display>(keys: [&str; 2], ends: [Option<&T>; 2]) -> String {
    let each = keys.iter().zip(ends);
    let given = each.filter_map(|(key, end)| end.map(|end| format!("{key} = {end}")));
    given.collect::<Vec<_>>().join(", ")
}

//! The trait of a kind of bound, and the reader of its TOML table.
//!
//! To add a kind of bound:
//!
//! 1. Add a file `bound/<name>.rs` with a type that implements `Kind`: its keys in the contract, and its functions to
//!    read, write, match and describe; optionally `determines` and `widen`. Take `bound/prefix.rs` as the example.
//! 2. Add a line to the table `predicates!` of `bound.rs`, and its nested bounds to `Predicate::inner`. Bounds are written
//!    in the order of this table. `bound/inside.rs` has what a bound says together with the bounds in it.
//! 3. Add cases to `tests/conformance`, one for each outcome, and a row to the table of the README.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::matching::{CallContext, Match};
use super::origin::Origin;
use crate::dead::possible::{Around, Possible, Reason};
pub(crate) use crate::parse::source::VALUE_CHARS_MAX;
use crate::parse::source::{Node, Source, Table};
use crate::parse::tools::About;
use crate::schema::domain::{Domain, Presence};
use crate::show::words::counted;

/// A kind of bound on a value.
pub(crate) trait Kind: Sized + Display {
    /// The keys in the contract.
    const KEYS: &'static [&'static str];

    /// Reads the bound from a table: an empty list if no key is present, `None` if a problem was reported.
    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>>;

    /// The JSON Schema types that can match; empty for any.
    fn types(&self) -> &'static [&'static str];

    /// Matches a value of the call.
    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match;

    /// Matches an argument, which may be absent.
    fn judge_argument(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match {
        value.map_or(Match::Unknown, |value| self.judge(value, context))
    }

    /// Removes values that never match from those that a place can have; values of other types by default.
    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.types(self.types());
    }

    /// The predicate of a sentence about a value that matches: `begins with "a"`.
    fn say(&self, unit: Unit) -> String;

    /// Returns true if this matching value is the only one that the contract, the task text and trusted results permit.
    fn determines(&self, _value: &Value, _context: &CallContext<'_>) -> bool {
        false
    }

    /// Returns the words around a matching value that the task text only negates or quotes, so that a person is asked.
    fn doubt(&self, _value: &Value, _context: &CallContext<'_>) -> Option<String> {
        None
    }

    /// Returns true if a matching value is of bounded length, apart from nested bounds.
    fn limits_length(&self) -> bool {
        false
    }

    /// Returns true if a matching free text may have links, addresses and account numbers: the bound says so or says
    /// which.
    fn permits_links(&self) -> bool {
        false
    }

    /// The argument that the value must be the same as.
    fn same_as(&self) -> Option<&str> {
        None
    }

    /// Widens the bound to a value that does not match; `None` if there is no readable result.
    fn widen(&self, _value: &Value, _context: &CallContext<'_>) -> Option<Self> {
        None
    }

    /// The origins of its values.
    fn origins(&self) -> &[Origin] {
        &[]
    }

    /// The tools in whose results its values stand, whoever wrote them.
    fn results(&self) -> &[String] {
        &[]
    }
}

/// A nested bound.
pub(crate) trait Inner: Sized + Display {
    /// Reads the bound at this depth of nesting.
    fn read<'t>(
        source: &mut Source<'t>,
        node: &'t Node<'t>,
        depth: usize,
        about: &About<'_>,
    ) -> Option<Self>;
    /// Matches an argument, which may be absent.
    fn judge(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match;
    /// Returns why no call matches; `None` if one may.
    fn dead(&self, domain: &Domain<'_>, presence: Presence, around: Around<'_>) -> Option<Reason>;
    /// Returns why no value is told from it; `None` if one may be.
    fn never_differs(&self, domain: &Domain<'_>) -> Option<Reason>;
    /// Matches the argument of this name; `Unknown` if the name is ambiguous.
    fn judge_at(&self, args: &Map<String, Value>, name: &str, context: &CallContext<'_>) -> Match;
    /// The predicate of a sentence about a value that matches.
    fn say(&self, unit: Unit) -> String;
    /// The predicate of a sentence about a value that does not match.
    fn say_not(&self, unit: Unit) -> String;
    /// See [`Kind::permits_links`].
    fn permits_links(&self) -> bool;
    /// Returns true if only an absent or null argument matches.
    fn demands_absence(&self) -> bool;
    /// See [`Kind::determines`].
    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool;
    /// See [`Kind::doubt`].
    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String>;
    /// The bound of exactly this value; `None` for null, lists and objects.
    fn exactly(value: &Value) -> Option<Self>;
    /// See [`Kind::widen`].
    fn widen(&self, value: Option<&Value>, context: &CallContext<'_>) -> Option<Self>;
}

/// A reader of the table of one bound.
pub(crate) struct Reader<'s, 't, 'a> {
    pub(crate) source: &'s mut Source<'t>,
    pub(crate) of: Table<'t>,
    /// The nesting depth of the bound.
    pub(crate) depth: usize,
    pub(crate) about: &'a About<'a>,
}

impl<'t> Reader<'_, 't, '_> {
    /// The value of a key, if present.
    pub(crate) fn node(&self, key: &str) -> Option<&'t Node<'t>> {
        self.of.table.get(key)
    }

    /// Reads the value of a key, if present.
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

    /// Reads a nested bound.
    pub(crate) fn bound<B: Inner>(&mut self, node: &'t Node<'t>) -> Option<B> {
        B::read(self.source, node, self.depth + 1, self.about)
    }

    /// Reads the bound under a key, if present.
    pub(crate) fn inner<B: Inner>(&mut self, key: &str) -> Option<Vec<B>> {
        self.one(key, Self::bound)
    }
}

/// The unit of a length.
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
    /// Returns the unit for the types that the tools declare for an argument.
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

/// Writes the given ends of a range as entries of a TOML inline table.
pub(crate) fn entries<T: Display>(keys: [&str; 2], ends: [Option<&T>; 2]) -> String {
    let each = keys.iter().zip(ends);
    let given = each.filter_map(|(key, end)| end.map(|end| format!("{key} = {end}")));
    given.collect::<Vec<_>>().join(", ")
}

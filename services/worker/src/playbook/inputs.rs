//! Inputs of a playbook: their kinds, bounds and defaults, and the values that a task gives them.

use std::collections::BTreeMap;

use bus_schema::json::{self, INTEGER_MAX};
use diagnostic::is_hidden;
use job::FieldBound;
use serde_json::{Map, Value};

use crate::limits::ITEMS_MAX;

/// Largest number of inputs of a playbook.
pub const INPUTS_MAX: usize = 64;
/// Longest value of an input, in bytes of JSON.
pub const INPUT_BYTES_MAX: usize = 32 << 10;

/// The kind of an input's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputKind {
    String,
    Integer,
    Number,
    Boolean,
    List,
}

/// The kinds by their words.
pub(super) const INPUT_KINDS: [(&str, InputKind); 5] = [
    ("string", InputKind::String),
    ("integer", InputKind::Integer),
    ("number", InputKind::Number),
    ("boolean", InputKind::Boolean),
    ("list", InputKind::List),
];

/// One input of a playbook.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    pub(super) name: String,
    pub(super) kind: InputKind,
    pub(super) about: Option<String>,
    pub(super) is: Option<FieldBound>,
    pub(super) default: Option<Value>,
}

impl Eq for Input {}

impl Input {
    /// Its name, a slug.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its purpose, in the words of the playbook's author.
    #[must_use]
    pub fn about(&self) -> Option<&str> {
        self.about.as_deref()
    }

    /// The kind and the bound of its values: `an integer from 1 to 9`.
    #[must_use]
    pub fn said(&self) -> String {
        let kind = match self.kind {
            InputKind::String => "a string",
            InputKind::Integer => "an integer",
            InputKind::Number => "a number",
            InputKind::Boolean => "true or false",
            InputKind::List => "a list",
        };
        let each = if self.kind == InputKind::List {
            ", each item one"
        } else {
            ""
        };
        match &self.is {
            None => kind.to_owned(),
            Some(bound) => format!("{kind}{each} {}", bound_said(bound)),
        }
    }

    /// Reads the value in a text: a list is JSON, or one string for each line that is not empty.
    ///
    /// # Errors
    /// The end of a sentence that begins with the input.
    pub fn typed(&self, text: &str) -> Result<Value, String> {
        let strict = || json::parse(text.trim().as_bytes(), INPUT_BYTES_MAX).ok();
        let value = match self.kind {
            InputKind::String => Some(Value::from(text)),
            InputKind::Integer | InputKind::Number | InputKind::Boolean => strict(),
            InputKind::List if text.trim_start().starts_with('[') => strict(),
            InputKind::List => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                Some(lines.map(Value::from).collect())
            }
        };
        let value = value.ok_or_else(|| format!("is not {}", self.said()))?;
        self.check(&value)?;
        Ok(value)
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The end of a sentence that begins with the input.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let is_kind = match self.kind {
            InputKind::String => value.is_string(),
            InputKind::Integer => value.is_i64() || value.is_u64(),
            InputKind::Number => value.is_number(),
            InputKind::Boolean => value.is_boolean(),
            InputKind::List => value.is_array(),
        };
        let items = value.as_array();
        let each = || {
            items
                .map_or(std::slice::from_ref(value), Vec::as_slice)
                .iter()
        };
        let is_bounded = |bound: &FieldBound| each().all(|one| bound.takes(Some(one)));
        if !is_kind || !self.is.as_ref().is_none_or(is_bounded) {
            return Err(format!("is not {}", self.said()));
        }
        let items = items.map_or(0, Vec::len);
        if items > ITEMS_MAX {
            return Err(format!(
                "has {items} items; at most {ITEMS_MAX} are allowed"
            ));
        }
        let bytes = value.to_string().len();
        if bytes > INPUT_BYTES_MAX {
            return Err(format!(
                "has {bytes} bytes; at most {INPUT_BYTES_MAX} are allowed"
            ));
        }
        if each().any(|one| one.is_array() || one.is_object() || one.is_null()) {
            return Err("has an item that is no string, number, true or false".to_owned());
        }
        let hidden = |c: char| is_hidden(c) && c != '\n' && c != '\t';
        if each().any(|one| one.as_str().is_some_and(|text| text.contains(hidden))) {
            return Err("has invisible characters".to_owned());
        }
        let exact = -INTEGER_MAX..=INTEGER_MAX;
        let inexact = |one: &Value| match one.as_i64() {
            Some(number) => !exact.contains(&number),
            None => one.is_u64(),
        };
        if each().any(inexact) {
            return Err("is beyond 2^53 - 1, which JSON readers disagree about".to_owned());
        }
        Ok(())
    }

    /// Returns the texts that it can be, if its bound lists them.
    pub(super) fn choices(&self) -> Option<&[Value]> {
        match &self.is {
            Some(FieldBound::Is(values)) if self.kind != InputKind::List => Some(values),
            Some(_) | None => None,
        }
    }
}

/// The inputs of a playbook with their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inputs {
    pub(super) declared: BTreeMap<String, Input>,
    /// True if the document gives values.
    pub(super) given: bool,
    /// The values by name: given ones, or else defaults.
    pub(super) values: Map<String, Value>,
}

impl Inputs {
    /// Returns the inputs without a value.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Input> {
        let each = self.declared.values();
        each.filter(|input| !self.values.contains_key(&input.name))
    }
}

/// A bound in words.
pub(super) fn bound_said(bound: &FieldBound) -> String {
    match bound {
        FieldBound::Is(values) => {
            let values = values.iter().map(ToString::to_string);
            format!("that is {}", values.collect::<Vec<_>>().join(" or "))
        }
        FieldBound::Prefix(text) => format!("that begins with {text:?}"),
        FieldBound::Suffix(text) => format!("that ends with {text:?}"),
        FieldBound::Range { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("of at least {min}"),
            (None, Some(max)) => format!("of at most {max}"),
            (None, None) => "of any size".to_owned(),
        },
        FieldBound::Present(true) => "that is there".to_owned(),
        FieldBound::Present(false) => "that is not there".to_owned(),
    }
}

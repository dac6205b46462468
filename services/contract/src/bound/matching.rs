//! The outcome of matching a value, and the call that the value is part of.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::record::View;
use crate::schema::Arguments;

/// The outcome of matching a value against a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The value matches.
    Yes,
    /// The value does not match.
    No,
    /// The bound cannot be applied to the value.
    Unknown,
}

impl Match {
    /// Returns `Yes` if all are `Yes`, `No` if any is `No`, otherwise `Unknown`.
    pub(crate) fn every(each: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::Yes;
        for one in each {
            match one {
                Self::No => return Self::No,
                Self::Unknown => whole = Self::Unknown,
                Self::Yes => {}
            }
        }
        whole
    }

    /// Returns `Yes` if any is `Yes`, `No` if all are `No`, otherwise `Unknown`.
    pub(crate) fn any(each: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::No;
        for one in each {
            match one {
                Self::Yes => return Self::Yes,
                Self::Unknown => whole = Self::Unknown,
                Self::No => {}
            }
        }
        whole
    }

    pub(crate) fn of(within: bool) -> Self {
        if within { Self::Yes } else { Self::No }
    }

    pub(super) fn told(within: Option<bool>) -> Self {
        within.map_or(Self::Unknown, Self::of)
    }

    pub(super) fn opposite(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// A call and its view, as input of a bound on an argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallContext<'a> {
    pub(crate) tool: &'a str,
    pub(crate) args: &'a Map<String, Value>,
    /// The schema of the arguments.
    pub(crate) schema: &'a Arguments,
    pub(crate) view: View<'a>,
    /// The zone of the days and times in the task text.
    pub(crate) zone: &'a TimeZone,
}

/// Returns true if a name with dots is both the name of an argument and a path into another argument.
pub(crate) fn is_ambiguous(args: &Map<String, Value>, name: &str) -> bool {
    let first = name.split_once('.').map(|(first, _)| first);
    first.is_some_and(|first| args.contains_key(first)) && args.contains_key(name)
}

/// Returns the value of an argument. A name with dots is a path into objects, unless an argument has exactly this
/// name. `None` if the name is ambiguous.
pub(crate) fn lookup<'v>(args: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if is_ambiguous(args, name) {
        return None;
    }
    if let Some(value) = args.get(name) {
        return Some(value);
    }
    let mut parts = name.split('.');
    let mut value = args.get(parts.next()?)?;
    for part in parts {
        value = value.as_object()?.get(part)?;
    }
    Some(value)
}

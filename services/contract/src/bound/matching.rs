//! The outcome of matching a value, and the call that the value is part of.

use serde_json::{Map, Value};

use crate::record::View;

/// What a bound says about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The value is what the bound describes.
    Yes,
    /// The value is something else.
    No,
    /// The bound cannot tell.
    Unknown,
}

impl Match {
    /// Within if all are, outside if any is, otherwise unknown.
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

    /// Within if any is, outside if all are, otherwise unknown.
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

/// A call and all that a bound on one of its arguments may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallContext<'a> {
    pub(crate) tool: &'a str,
    pub(crate) args: &'a Map<String, Value>,
    pub(crate) view: View<'a>,
}

/// Whether a name with dots is that of an argument, and may lead into another one as well.
pub(crate) fn is_ambiguous(args: &Map<String, Value>, name: &str) -> bool {
    let first = name.split_once('.').map(|(first, _)| first);
    first.is_some_and(|first| args.contains_key(first)) && args.contains_key(name)
}

/// The value of an argument; a name with dots leads into objects, unless an argument has just this name. None if
/// both could be meant.
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

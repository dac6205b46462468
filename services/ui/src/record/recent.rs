//! The newest facts, one line each, for the page of the record.

use std::collections::VecDeque;

use bus_schema::{AuthorId, Meta, TaskId, Time};
use serde::{Deserialize, Serialize};

/// Facts that are kept.
pub(crate) const RECENT_MAX: usize = 10_000;

/// The newest facts, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent(VecDeque<FactLine>);

/// A fact on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FactLine {
    pub(crate) seq: u64,
    pub(crate) stored: Time,
    pub(crate) by: AuthorId,
    /// `<noun>.<past-verb>`.
    pub(crate) kind: String,
    pub(crate) task: Option<TaskId>,
}

impl Recent {
    pub(super) fn add(&mut self, meta: &Meta, kind: &str) {
        self.0.push_front(FactLine {
            seq: meta.seq,
            stored: meta.stored,
            by: meta.by,
            kind: kind.to_owned(),
            task: meta.task,
        });
        self.0.truncate(RECENT_MAX);
    }

    /// Returns them, newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &FactLine> {
        self.0.iter()
    }
}

//! The state of a fleet's processes, which each of them writes.

use std::collections::{BTreeMap, VecDeque};

/// A line that a process logged.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// The process's name.
    pub from: String,
    /// The line.
    pub text: String,
}

/// The state of all processes.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) pids: BTreeMap<String, u32>,
    pub(super) ready: BTreeMap<String, u64>,
    pub(super) kept: BTreeMap<String, VecDeque<String>>,
    pub(super) failed: BTreeMap<String, String>,
}

impl Board {
    /// The last lines that a process logged.
    pub(super) fn last_lines(&self, name: &str) -> String {
        let lines = self.kept.get(name);
        let lines = lines.map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
        lines.map_or_else(
            || "  (it logged nothing)".to_owned(),
            |lines| format!("  {}", lines.join("\n  ")),
        )
    }
}

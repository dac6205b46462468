//! What a command prints: text for people, or JSON for programs.

use std::io::Write as _;

use serde::Serialize;

/// Where a command prints to, and how.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Prints JSON, or text.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether it prints JSON.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Prints data: as one line of JSON, or as `text` says it.
    pub fn print<T: Serialize>(&self, data: &T, text: impl FnOnce() -> String) {
        if self.json {
            self.line(&serde_json::to_string(data).unwrap_or_default());
        } else {
            self.line(&text());
        }
    }

    /// Prints a line.
    pub fn line(&self, line: &str) {
        // Whoever read it may have gone away: that is no failure of the command.
        writeln!(std::io::stdout(), "{line}").ok();
    }

    /// Prints a line that is no data: beside the data, if that is JSON.
    pub fn line_for_people(&self, line: &str) {
        if self.json {
            writeln!(std::io::stderr(), "{line}").ok();
        } else {
            self.line(line);
        }
    }

    /// Says what went wrong, on standard error.
    pub fn error(&self, text: &str) {
        let prefix = if text.contains('\n') {
            "error:\n"
        } else {
            "error: "
        };
        writeln!(std::io::stderr(), "{prefix}{text}").ok();
    }
}

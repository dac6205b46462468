//! Prints the output of a command: text for people, or JSON for programs. Part of it came over the wire, so all
//! characters that could move a cursor, reorder text or hide in it are escaped.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::OnceLock,
};

use diagnostic::{escaped, escaped_lines, is_hidden};
use serde::Serialize;

/// The first failure to write to standard output, which all commands of the process share.
static FAILED: OnceLock<String> = OnceLock::new();

/// Notes a failed write. A closed pipe is none: its reader has what it wanted.
pub(crate) fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        FAILED.get_or_init(|| error.to_string());
    }
}

/// Returns the exit code of a command that ended with `code`: an error if its output could not be written.
pub(crate) fn end(code: ExitCode) -> ExitCode {
    note(io::stdout().flush());
    match FAILED.get() {
        Some(error) if code == ExitCode::SUCCESS => {
            Output::new(false).error(&format!(
                "the output could not be written: {error}; free disk space or write it elsewhere"
            ));
            ExitCode::FAILURE
        }
        Some(_) | None => code,
    }
}

/// Returns true if words may be coloured: on a terminal that has colours, unless the person wants none.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line alone reads the environment"
)]
fn has_colours() -> bool {
    let set = |name| std::env::var(name).is_ok_and(|value: String| !value.is_empty());
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// The output of a command, as text or as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Creates an output that prints JSON or text.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Returns true if it prints JSON.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Prints data as one line of JSON, or as `text`.
    pub fn print<T: Serialize>(&self, data: &T, text: impl FnOnce() -> String) {
        if self.json {
            self.line(&serde_json::to_string(data).unwrap_or_default());
        } else {
            self.line(&text());
        }
    }

    /// Prints a line of JSON or text.
    pub fn line(&self, line: &str) {
        let line = if self.json {
            escaped_json(line)
        } else {
            escaped_lines(line)
        };
        note(writeln!(io::stdout(), "{line}"));
    }

    /// Returns true if parts of lines are shown as they come: as text, on a terminal.
    pub(crate) fn is_live(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Prints a part of a line at once.
    pub(crate) fn part(&self, text: &str) {
        note(write!(io::stdout(), "{}", escaped_lines(text)).and_then(|()| io::stdout().flush()));
    }

    /// Shows a text in the place of the last one, on a terminal; the cursor stays at its beginning, so that a line of anybody
    /// else overwrites it.
    pub(crate) fn status(&self, text: &str) {
        let text = escaped(text);
        note(write!(io::stdout(), "\r\u{1b}[2K{text}\r").and_then(|()| io::stdout().flush()));
    }

    /// Prints a line in which one word has an ANSI colour if the output is a terminal.
    pub fn painted(&self, before: &str, (word, colour): (&str, Option<u8>), after: &str) {
        let (before, word, after) = (escaped(before), escaped(word), escaped_lines(after));
        let word = match colour.filter(|_| has_colours()) {
            Some(colour) => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
            None => word,
        };
        note(writeln!(io::stdout(), "{before}{word}{after}"));
    }

    /// Writes bytes as they are, for standard output that is no terminal.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        note(io::stdout().write_all(bytes));
    }

    /// Prints a line that is not data: on standard error if the data is JSON.
    pub fn line_for_people(&self, line: &str) {
        if self.json {
            writeln!(io::stderr(), "{}", escaped_lines(line)).ok();
        } else {
            self.line(line);
        }
    }

    /// Prints a question: on standard error if the data is JSON, or if only that is a terminal.
    ///
    /// # Errors
    /// Returns an error if it could not be written; it is not answered then.
    pub fn question(&self, text: &str) -> io::Result<()> {
        let (mut data, mut terminal) = (io::stdout(), io::stderr());
        if self.json || (terminal.is_terminal() && !data.is_terminal()) {
            writeln!(terminal, "{}", escaped_lines(text))?;
            terminal.flush()
        } else {
            writeln!(data, "{}", escaped_lines(text))?;
            data.flush()
        }
    }

    /// Prints an error on standard error.
    pub fn error(&self, text: &str) {
        let prefix = if text.contains('\n') {
            "error:\n"
        } else {
            "error: "
        };
        writeln!(io::stderr(), "{prefix}{}", escaped_lines(text)).ok();
    }
}

/// Escapes the hidden characters of a JSON text; they can only be in its strings.
fn escaped_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped_json;

    #[test]
    fn json_says_the_same_and_hides_nothing() {
        let hidden = "a\u{202e}b\u{7f}\u{e0041}\u{ad}\\u{0}";
        let json = serde_json::to_string(hidden).unwrap();
        let shown = escaped_json(&json);
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), hidden);
    }
}

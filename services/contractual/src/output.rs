//! Prints the output of a command: text for people, or JSON for programs. Part of it came over the wire, so all
//! characters that could move a cursor, reorder text or hide in it are escaped.

use std::io::{IsTerminal as _, Write as _};

use diagnostic::{escaped, escaped_lines, is_hidden};
use serde::Serialize;

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
        // The reader may have closed the pipe: the command has not failed.
        writeln!(std::io::stdout(), "{line}").ok();
    }

    /// Prints a line in which one word has an ANSI colour if the output is a terminal.
    pub fn painted(&self, before: &str, (word, colour): (&str, Option<u8>), after: &str) {
        let (before, word, after) = (escaped(before), escaped(word), escaped_lines(after));
        let word = match colour.filter(|_| std::io::stdout().is_terminal()) {
            Some(colour) => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
            None => word,
        };
        // As above.
        writeln!(std::io::stdout(), "{before}{word}{after}").ok();
    }

    /// Prints a line that is not data: on standard error if the data is JSON.
    pub fn line_for_people(&self, line: &str) {
        if self.json {
            writeln!(std::io::stderr(), "{}", escaped_lines(line)).ok();
        } else {
            self.line(line);
        }
    }

    /// Prints a question: on standard error if the data is JSON, or if only that is a terminal.
    ///
    /// # Errors
    /// Returns an error if it could not be written; it is not answered then.
    pub fn question(&self, text: &str) -> std::io::Result<()> {
        let (mut data, mut terminal) = (std::io::stdout(), std::io::stderr());
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
        writeln!(std::io::stderr(), "{prefix}{}", escaped_lines(text)).ok();
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

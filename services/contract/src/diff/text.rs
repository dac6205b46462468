//! Writes the differences of two versions for people.

use super::{ChangeKind, Diff, Difference};

impl Diff {
    /// Returns true if both versions decide every call in the same way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Formats the differences for people, without a final line end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&entry.text());
        }
        if self.entries.is_empty() {
            text.push_str("every call is decided as before");
        }
        if !self.calls.is_empty() {
            text.push_str("\ntests that are decided differently:");
        }
        for call in &self.calls {
            text.push_str(&format!("\n  {}", call.text()));
        }
        for note in &self.notes {
            text.push_str(&format!("\nnote: {note}"));
        }
        text
    }
}

impl Difference {
    fn text(&self) -> String {
        let tools = match self.tools.as_slice() {
            [] => "every tool".to_owned(),
            some => some.join(", "),
        };
        let mut text = format!("{} `{}` ({tools})", self.change.word(), self.rule);
        for (word, said) in [("before", &self.before), ("now", &self.after)] {
            if let Some(said) = said {
                text.push_str(&format!("\n  {word}: {said}"));
            }
        }
        if self.change == ChangeKind::Changed {
            let removed = self.removed.iter().map(|line| format!("\n  - {line}"));
            let added = self.added.iter().map(|line| format!("\n  + {line}"));
            text.extend(removed.chain(added));
        }
        text
    }
}

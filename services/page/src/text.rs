//! Text of anybody, made safe to show: escaped, and without anything invisible.

use diagnostic::is_hidden;
use maud::{Markup, Render, html};

/// A text that somebody else wrote. A character that a reader cannot see is shown as its escape.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// On one line: line ends are escapes, too.
    Line(&'a str),
    /// In a block that keeps line ends and tabs.
    Block(&'a str),
}

impl Render for Text<'_> {
    fn render(&self) -> Markup {
        let (text, is_block) = match self {
            Self::Line(text) => (*text, false),
            Self::Block(text) => (*text, true),
        };
        html! {
            @for part in parts(text, is_block) {
                @match part {
                    Part::Plain(plain) => (plain),
                    Part::Hidden(c) => span.hidden title="an invisible character" { (c.escape_unicode().to_string()) },
                }
            }
        }
    }
}

enum Part<'a> {
    Plain(&'a str),
    Hidden(char),
}

/// Splits a text at its hidden characters.
fn parts(text: &str, is_block: bool) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    let hides = |c: char| is_hidden(c) && !(is_block && matches!(c, '\n' | '\t'));
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| hides(*c)) {
        let (plain, from) = rest.split_at(at);
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        let after = from.strip_prefix(c).unwrap_or_default();
        // The line end of many protocols shows itself.
        if !(is_block && c == '\r' && after.starts_with('\n')) {
            parts.push(Part::Hidden(c));
        }
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Plain(rest));
    }
    parts
}

/// Returns a text on one line for a place without markup, with invisible characters as escapes.
pub(crate) fn plain(text: &str) -> String {
    let each = text.chars().map(|c| match is_hidden(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    });
    each.collect()
}

/// Returns at most `bytes` bytes of a text, cut between two characters, and true if something is left out.
#[must_use]
pub fn cut(text: &str, bytes: usize) -> (&str, bool) {
    if text.len() <= bytes {
        return (text, false);
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
    (
        text.get(..end.unwrap_or_default()).unwrap_or_default(),
        true,
    )
}

#[cfg(test)]
mod tests {
    use super::{Text, cut, plain};
    use maud::Render as _;

    fn shown(text: Text<'_>) -> String {
        text.render().into_string()
    }

    #[test]
    fn markup_is_text() {
        let text = Text::Line("<script>alert(\"1\")</script>&amp;");
        let wanted = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;";
        assert_eq!(shown(text), wanted);
    }

    #[test]
    fn invisible_characters_are_visible() {
        let shown_text = shown(Text::Block(
            "a\u{202e}b\u{200b}\u{e0041}\0\u{1b}[2J\r\nc\rd\te",
        ));
        for escape in [
            "\\u{202e}",
            "\\u{200b}",
            "\\u{e0041}",
            "\\u{0}",
            "\\u{1b}",
            "\\u{d}",
        ] {
            assert_eq!(shown_text.matches(escape).count(), 1, "{shown_text}");
        }
        assert!(shown_text.contains("[2J\nc"), "{shown_text}");
        assert!(shown_text.contains("d\te"), "{shown_text}");
        assert!(shown(Text::Line("a\nb")).contains("\\u{a}"));
    }

    #[test]
    fn a_title_has_no_invisible_character() {
        assert_eq!(plain("a\u{202e}é\n<b>"), "a\\u{202e}é\\u{a}<b>");
    }

    #[test]
    fn a_cut_is_between_characters() {
        assert_eq!(cut("aé", 2), ("a", true));
        assert_eq!(cut("aé", 3), ("aé", false));
        assert_eq!(cut("é", 0), ("", true));
    }
}

//! The words of a model as they arrive, on a terminal; the line of the timeline says them again as a whole.

use bus_schema::{ActionId, Piece};
use engine::wire;

use crate::Output;

/// The mark in the place of lost words.
const GAP: &str = " … ";
/// The beginning of each line of a model; no line of the program begins so.
const MARGIN: &str = "  | ";

/// The words that are being shown.
#[derive(Debug, Default)]
pub(crate) struct LiveWords {
    /// The action that they answer, and the place of the piece that is next.
    shown: Option<(ActionId, u32)>,
    /// True if the line has not ended.
    is_open: bool,
}

impl LiveWords {
    /// Shows the words of a piece, if it has any.
    pub(crate) fn show(&mut self, piece: &Piece, out: &Output) {
        let before = self
            .shown
            .replace((piece.action, piece.nth.wrapping_add(1)));
        if before.is_some_and(|(action, _)| action != piece.action) {
            self.end(out);
        }
        let is_gap = before != Some((piece.action, piece.nth));
        if is_gap && self.is_open {
            out.part(GAP);
        }
        if let Some(words) = wire::words(&piece.text) {
            if !std::mem::replace(&mut self.is_open, true) {
                out.part(MARGIN);
            }
            out.part(&within(&words));
        }
    }

    /// Ends the line, before another one is printed.
    pub(crate) fn end(&mut self, out: &Output) {
        if std::mem::take(&mut self.is_open) {
            out.line("");
        }
    }
}

/// The words of a model, each line behind the margin.
pub(crate) fn behind_margin(words: &str) -> String {
    format!("{MARGIN}{}", within(words))
}

/// Puts the margin before the second and each further line.
fn within(words: &str) -> String {
    words.replace('\n', &format!("\n{MARGIN}"))
}

#[cfg(test)]
mod tests {
    use super::behind_margin;

    #[test]
    fn each_line_of_a_model_begins_with_the_margin() {
        assert_eq!(
            behind_margin("a\n  sign it?\n"),
            "  | a\n  |   sign it?\n  | "
        );
    }
}

//! The words of a model as they arrive, on a terminal; the line of the timeline says them again as a whole.

use bus_schema::{ActionId, Piece};
use engine::wire;

use crate::Output;

/// The mark in the place of lost words.
const GAP: &str = " … ";

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
            self.is_open = true;
            out.part(&words);
        }
    }

    /// Ends the line, before another one is printed.
    pub(crate) fn end(&mut self, out: &Output) {
        if std::mem::take(&mut self.is_open) {
            out.line("");
        }
    }
}

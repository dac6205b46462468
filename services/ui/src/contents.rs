//! The contents that a page shows: those that were fetched, and those that it lacks.

use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet};

use bus_schema::{AuthorId, Content};

/// A content and the author that stored it.
pub(crate) type Named = (AuthorId, Content);

/// The contents that were fetched; none for one that was erased.
#[derive(Debug, Default)]
pub struct Contents {
    fetched: BTreeMap<Named, Option<Vec<u8>>>,
    lacking: RefCell<BTreeSet<Named>>,
}

/// A content as a page can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// It was erased.
    Erased,
    /// It is still to be fetched.
    Awaited,
}

impl Contents {
    /// Adds a content that was fetched; none if it was erased.
    pub fn insert(&mut self, by: AuthorId, content: Content, bytes: Option<Vec<u8>>) {
        self.fetched.insert((by, content), bytes);
    }

    /// Returns a content, and notes it if it is lacking.
    pub(crate) fn get(&self, by: AuthorId, content: Content) -> Found<'_> {
        match self.fetched.get(&(by, content)) {
            Some(Some(bytes)) => Found::Bytes(bytes),
            Some(None) => Found::Erased,
            None => {
                self.lacking.borrow_mut().insert((by, content));
                Found::Awaited
            }
        }
    }

    /// Returns a content as text, if it is there and is text.
    pub(crate) fn text(&self, by: AuthorId, content: Content) -> Option<&str> {
        match self.get(by, content) {
            Found::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Found::Erased | Found::Awaited => None,
        }
    }

    /// Returns the contents that were asked for in vain, and forgets them.
    pub(crate) fn take_lacking(&self) -> BTreeSet<Named> {
        std::mem::take(&mut self.lacking.borrow_mut())
    }
}

//! Holds the catalogue that the owner signed, as policy read it.

use std::collections::BTreeMap;

use bus_schema::Content;
use contract::{Catalogue, UNSIGNED, unusable};

/// The reason that there is no catalogue to decide with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTools<'a> {
    /// Its document has not been fetched.
    Unread,
    /// The owner signed none, or the newest one cannot be used; the text says what to do.
    Unusable(&'a str),
}

/// The documents of signed catalogues that were fetched.
#[derive(Debug, Default)]
pub(crate) struct ReadCatalogues(BTreeMap<Content, Result<Catalogue, String>>);

impl ReadCatalogues {
    /// Reads a document; none if it was erased.
    pub(crate) fn take(&mut self, content: Content, bytes: Option<&[u8]>) {
        let read = match bytes {
            None => Err("its document was erased".to_owned()),
            Some(bytes) => Catalogue::parse_signed(bytes).map_err(|error| error.to_string()),
        };
        let read = read.map_err(|why| unusable(&why));
        self.0.insert(content, read);
    }

    /// Returns the catalogue at `content`, the newest one that the owner signed.
    pub(crate) fn at(&self, content: Option<&Content>) -> Result<&Catalogue, NoTools<'_>> {
        let content = content.ok_or(NoTools::Unusable(UNSIGNED))?;
        let read = self.0.get(content).ok_or(NoTools::Unread)?;
        read.as_ref().map_err(|why| NoTools::Unusable(why))
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

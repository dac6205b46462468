//! The documents that were parsed for pages: catalogues, and contracts as sentences. Parsing runs a contract's tests.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use bus_schema::Digest;
use contract::{Catalogue, Contract, Shown};

/// Most documents of a kind.
const DOCUMENTS_MAX: usize = 16;

/// A contract as sentences, or the reason that it cannot be read.
pub(crate) type Sentences = Result<Shown, String>;

/// The parsed documents.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    catalogues: RefCell<BTreeMap<Digest, Option<Arc<Catalogue>>>>,
    contracts: RefCell<BTreeMap<(Digest, Digest), Arc<Sentences>>>,
}

impl Documents {
    /// Returns the catalogue with this digest and these bytes; none if they are no catalogue.
    pub(crate) fn catalogue(&self, digest: &Digest, bytes: &[u8]) -> Option<Arc<Catalogue>> {
        remember(&self.catalogues, *digest, || {
            Catalogue::parse_signed(bytes).ok().map(Arc::new)
        })
    }

    /// Returns the sentences of the contract with this digest and text, read with the catalogue with that digest.
    pub(crate) fn sentences(
        &self,
        (contract, text): (&Digest, &str),
        (digest, catalogue): (&Digest, &Catalogue),
    ) -> Arc<Sentences> {
        remember(&self.contracts, (*contract, *digest), || {
            let parsed = Contract::parse("contract.toml", text, catalogue);
            let shown = parsed.map(|contract| contract::show(&contract, catalogue));
            Arc::new(shown.map_err(|problems| problems.to_string()))
        })
    }
}

/// Returns the value of a key, made only once while it is remembered.
fn remember<K: Ord + Clone, V: Clone>(
    known: &RefCell<BTreeMap<K, V>>,
    key: K,
    make: impl FnOnce() -> V,
) -> V {
    let mut known = known.borrow_mut();
    if let Some(found) = known.get(&key) {
        return found.clone();
    }
    let made = make();
    if known.len() >= DOCUMENTS_MAX {
        known.clear();
    }
    known.insert(key, made.clone());
    made
}

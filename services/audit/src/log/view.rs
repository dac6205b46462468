//! A view of the entries that one checkpoint covers, usable while the log grows.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::prove::{Tree, nth_hash};
use super::{FULL, InclusionProof, read_entry};
use crate::edge::Edge;
use crate::entry::leaf_hash;
use crate::layout::{TAIL, TILE_HEIGHT, bundle, full_count, partial_width, path};
use crate::{Checkpoint, Entry, Error};

/// The number of attempts to read an entry while the service moves it.
const TRIES: usize = 3;

/// The part of a log that its last checkpoint covers. Holds the right edge of the tree in memory, at most
/// 8 KiB a level; takes no lock.
#[derive(Clone)]
pub struct View {
    dir: PathBuf,
    edge: Edge,
    signed: Checkpoint,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("dir", &self.dir)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl View {
    pub(super) fn new(dir: &Path, edge: &Edge, signed: &Checkpoint) -> Self {
        Self {
            dir: dir.to_path_buf(),
            edge: edge.clone(),
            signed: signed.clone(),
        }
    }

    /// The number of entries that it covers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.signed.size()
    }

    /// The checkpoint.
    #[must_use]
    pub fn signed(&self) -> &Checkpoint {
        &self.signed
    }

    /// Proves that entry `index` is covered. The proof was checked against the root in memory.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]; [`Error::Differs`] if a tile changed on disk.
    pub fn prove(&self, index: u64) -> Result<InclusionProof, Error> {
        self.tree().prove(index, self.size())
    }

    /// The root over the first `size` entries, at least 1.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]; [`Error::Differs`] if a tile changed on disk.
    pub fn root_at(&self, size: u64) -> Result<[u8; 32], Error> {
        self.tree().root_at(size)
    }

    /// The leaf hashes of the tile that holds `index`, concatenated: at most 256.
    ///
    /// # Errors
    ///
    /// Errors of the file system; [`Error::Differs`] if the tile has another length.
    pub fn leaves(&self, index: u64) -> Result<Leaves, Error> {
        let n = index >> TILE_HEIGHT;
        let hashes = self.tree().tile(0, n)?;
        Ok(Leaves { n, hashes })
    }

    /// The entry at `index`, checked against its tile, with its encoded bytes.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]; [`Error::Differs`] if the file no longer holds what was appended.
    pub fn entry(&self, index: u64) -> Result<(Entry, Vec<u8>), Error> {
        let size = self.size();
        if index >= size {
            return Err(Error::OutOfRange { asked: index, size });
        }
        let leaf = self.tree().leaf(index)?;
        let n = index >> TILE_HEIGHT;
        let full = self.dir.join(path(&bundle(n, FULL)));
        let mut homes = vec![full.clone()];
        if n == full_count(0, size) {
            // The next checkpoint removes it; its entries are then in `tail` or in the full bundle.
            let partial = path(&bundle(n, partial_width(0, size)));
            homes = vec![self.dir.join(partial), self.dir.join(TAIL), full.clone()];
        }
        for home in homes.iter().cycle().take(homes.len() * TRIES) {
            match read_entry(home, index % u64::from(FULL)) {
                Ok(bytes) if leaf_hash(&bytes) == leaf => {
                    let entry = Entry::decode(&bytes).ok();
                    let entry = entry.filter(|entry| entry.seq == index);
                    return entry
                        .map(|entry| (entry, bytes))
                        .ok_or(Error::Differs { path: full });
                }
                Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
                    return Err(Error::io("read", home, e));
                }
                Ok(_) | Err(_) => {}
            }
        }
        Err(Error::Differs { path: full })
    }

    fn tree(&self) -> Tree<'_> {
        Tree::new(&self.dir, &self.edge)
    }
}

/// The leaf hashes of one tile.
#[derive(Debug, Clone)]
pub struct Leaves {
    n: u64,
    hashes: Vec<u8>,
}

impl Leaves {
    /// The leaf hash of entry `index`, if it is in this tile.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<&[u8]> {
        (index >> TILE_HEIGHT == self.n)
            .then(|| nth_hash(&self.hashes, index))
            .flatten()
    }
}

//! Proofs: creates them from the tiles, and compares the log with the stream.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, HashReader, Tile, stored_hash_index};

use super::{FULL, Log};
use crate::Error;
use crate::disk::read;
use crate::edge::Edge;
use crate::layout::{HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, full_count, hash_tile, path};

/// A proof that an entry is in a log of a given size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// Index of the entry.
    pub index: u64,
    /// Size of the log.
    pub size: u64,
    /// RFC 6962 audit path, leaf end first; at most 40 hashes.
    pub hashes: Vec<[u8; 32]>,
}

/// A proof that a log of one size is the beginning of the log of another size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The smaller size, at least 1.
    pub old: u64,
    /// The larger size.
    pub new: u64,
    /// RFC 6962 consistency proof; at most 41 hashes.
    pub hashes: Vec<[u8; 32]>,
}

/// The result of a comparison with the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// The number of messages that log and stream share.
    pub same: u64,
    /// The number of messages that only the stream holds; read them from `Log::size` on.
    pub ahead: u64,
}

impl Log {
    /// Proves that entry `index` is among the first `size`. The proof was checked against the root
    /// in memory before it is returned.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]; [`Error::Differs`] if a tile changed on disk.
    pub fn prove(&self, index: u64, size: u64) -> Result<InclusionProof, Error> {
        self.usable()?;
        self.tree().prove(index, size)
    }

    /// Proves that the first `old` entries are the beginning of the first `new`, 1 <= old <= new.
    /// The proof was checked against the root in memory before it is returned.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]; [`Error::Differs`] if a tile changed on disk.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, Error> {
        self.usable()?;
        self.tree().prove_consistency(old, new)
    }

    /// Compares the log with the stream: `last` is the stream's last sequence (0 if empty), `items`
    /// are sequence and [`crate::Entry::leaf_hash`] of messages read from it, in any order; in
    /// ascending order each tile is read once.
    ///
    /// # Errors
    ///
    /// [`Error::StreamShorter`] and [`Error::StreamDiffers`]: publish no head.
    pub fn compare(
        &self,
        last: u64,
        items: impl IntoIterator<Item = (u64, [u8; 32])>,
    ) -> Result<Agreed, Error> {
        self.usable()?;
        if last.saturating_add(1) < self.size() {
            return Err(Error::StreamShorter {
                stream: last,
                log: self.size() - 1,
            });
        }
        let tree = self.tree();
        let mut agreed = Agreed { same: 0, ahead: 0 };
        let mut tile = (u64::MAX, Vec::new());
        for (index, leaf) in items {
            if index >= self.size() {
                agreed.ahead += 1;
                continue;
            }
            let n = index >> TILE_HEIGHT;
            if tile.0 != n {
                tile = (n, tree.tile(0, n)?);
            }
            if nth_hash(&tile.1, index) != Some(&leaf) {
                return Err(Error::StreamDiffers { index });
            }
            agreed.same += 1;
        }
        Ok(agreed)
    }

    pub(super) fn tree(&self) -> Tree<'_> {
        Tree::new(self.disk.log(), &self.edge)
    }
}

/// The hash of leaf `index` in its tile.
pub(super) fn nth_hash(tile: &[u8], index: u64) -> Option<&[u8]> {
    let nth = usize::try_from(index % u64::from(FULL)).unwrap_or(TILE_WIDTH);
    tile.get(nth * HASH_BYTES..(nth + 1) * HASH_BYTES)
}

/// Hashes of the tree: from the edge in memory, else from full tiles on disk.
pub(super) struct Tree<'a> {
    log: &'a Path,
    edge: &'a Edge,
    read: RefCell<BTreeMap<(u8, u64), Vec<u8>>>,
    failed: RefCell<Option<Error>>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(log: &'a Path, edge: &'a Edge) -> Self {
        Self {
            log,
            edge,
            read: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    pub(super) fn prove(&self, index: u64, size: u64) -> Result<InclusionProof, Error> {
        self.within(size, self.edge.size())?;
        self.within(index.saturating_add(1), size)?;
        let root = self.root_at(size)?;
        let leaf = self.leaf(index)?;
        let proof = self.answer(tlog_tiles::prove_record(size, index, self))?;
        self.agree(tlog_tiles::check_record(
            &proof,
            size,
            Hash(root),
            index,
            Hash(leaf),
        ))?;
        Ok(InclusionProof {
            index,
            size,
            hashes: proof.iter().map(|hash| hash.0).collect(),
        })
    }

    fn prove_consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, Error> {
        self.within(new, self.edge.size())?;
        self.within(old, new)?;
        let proof = self.answer(tlog_tiles::prove_tree(new, old, self))?;
        let (old_root, new_root) = (Hash(self.root_at(old)?), Hash(self.root_at(new)?));
        self.agree(tlog_tiles::check_tree(&proof, new, new_root, old, old_root))?;
        Ok(ConsistencyProof {
            old,
            new,
            hashes: proof.iter().map(|hash| hash.0).collect(),
        })
    }

    /// The root over the first `size` entries, 1 <= size, consistent with the root in memory.
    pub(super) fn root_at(&self, size: u64) -> Result<[u8; 32], Error> {
        let whole = self.edge.size();
        if size == whole {
            return Ok(self.edge.root());
        }
        self.within(size, whole)?;
        let root = self.answer(tlog_tiles::tree_hash(size, self))?;
        let proof = self.answer(tlog_tiles::prove_tree(whole, size, self))?;
        self.agree(tlog_tiles::check_tree(
            &proof,
            whole,
            Hash(self.edge.root()),
            size,
            root,
        ))?;
        Ok(root.0)
    }

    pub(super) fn leaf(&self, index: u64) -> Result<[u8; 32], Error> {
        let hashes = self.answer(self.read_hashes(&[stored_hash_index(0, index)]))?;
        hashes
            .first()
            .map(|hash| hash.0)
            .ok_or_else(|| self.differ())
    }

    fn within(&self, asked: u64, size: u64) -> Result<(), Error> {
        if (1..=size).contains(&asked) {
            Ok(())
        } else {
            Err(Error::OutOfRange {
                asked,
                size: self.edge.size(),
            })
        }
    }

    fn agree(&self, checked: Result<(), tlog_tiles::Error>) -> Result<(), Error> {
        checked.map_err(|_| self.differ())
    }

    fn differ(&self) -> Error {
        Error::Differs {
            path: self.log.join(crate::layout::TILES),
        }
    }

    pub(super) fn tile(&self, level: u8, n: u64) -> Result<Vec<u8>, Error> {
        if n >= full_count(level, self.edge.size()) {
            return Ok(self.edge.tile(level).to_vec());
        }
        if let Some(bytes) = self.read.borrow().get(&(level, n)) {
            return Ok(bytes.clone());
        }
        let path = self.log.join(path(&hash_tile(level, n, FULL)));
        let exact = TILE_WIDTH * HASH_BYTES;
        let bytes = read(&path, exact).map_err(|e| Error::io("read", &path, e))?;
        if bytes.len() != exact {
            return Err(Error::Differs { path });
        }
        self.read.borrow_mut().insert((level, n), bytes.clone());
        Ok(bytes)
    }

    // The library's error type cannot hold one of ours.
    fn answer<T>(&self, result: Result<T, tlog_tiles::Error>) -> Result<T, Error> {
        result.map_err(|_| {
            let failed = self.failed.borrow_mut().take();
            failed.unwrap_or_else(|| self.differ())
        })
    }
}

impl HashReader for Tree<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let mut hashes = Vec::with_capacity(indexes.len());
        for index in indexes {
            let least = Tile::from_index(TILE_HEIGHT, *index);
            let bytes = self
                .tile(least.level(), least.level_index())
                .map_err(|error| {
                    *self.failed.borrow_mut() = Some(error);
                    tlog_tiles::Error::InvalidTile
                })?;
            hashes.push(least.hash_at_index(&bytes, *index)?);
        }
        Ok(hashes)
    }
}

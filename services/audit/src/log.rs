//! The log: appends entries, signs durable entries, and returns entries and proofs.
//!
//! Entries beyond the last checkpoint were never signed, so nobody relies on them: opening drops them
//! and the caller reads them again from the stream. A checkpoint is signed only after everything it
//! covers, names included, was synced.

mod open;
mod prove;
mod view;

use std::borrow::Borrow;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;

pub use prove::{Agreed, ConsistencyProof, InclusionProof};
pub use view::{Leaves, View};

use crate::disk::{Disk, Round, Tail, read};
use crate::edge::Edge;
use crate::entry::leaf_hash;
use crate::layout::{
    BUNDLE_BYTES_MAX, TILE_HEIGHT, bundle, full_count, hash_tile, partials, path, push_entry,
};
use crate::{Checkpoint, Entry, Error, MAX_ENTRY_BYTES, MAX_SIZE, Origin};

/// The maximum number of entries of one append.
pub const MAX_BATCH: usize = 65_536;

const FULL: u32 = 1 << TILE_HEIGHT;

/// An open log. No other process can open its directory meanwhile. It holds only the right edge of
/// the tree in memory.
pub struct Log {
    disk: Disk,
    origin: Origin,
    key: SigningKey,
    edge: Edge,
    tail: Tail,
    /// The files written since the last checkpoint.
    round: Round,
    signed: Checkpoint,
    failed: bool,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("dir", &self.disk.log())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Adds entries, whose `seq` must continue the log without a gap, at most [`MAX_BATCH`] at
    /// once. They are durable only with the next [`Log::checkpoint`]; opening the log drops
    /// the entries after the last checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::NotContiguous`] and [`Error::TooMany`] change nothing. After any other error the
    /// log must be opened again.
    pub fn append<E: Borrow<Entry>>(&mut self, entries: &[E]) -> Result<(), Error> {
        self.usable()?;
        let room = usize::try_from(MAX_SIZE - self.size()).unwrap_or(usize::MAX);
        let max = MAX_BATCH.min(room);
        if entries.len() > max {
            return Err(Error::TooMany {
                count: entries.len(),
                max,
            });
        }
        for (expected, entry) in (self.size()..).zip(entries) {
            let found = entry.borrow().seq;
            if found != expected {
                return Err(Error::NotContiguous { expected, found });
            }
        }
        self.guarded(|log| log.write(entries))
    }

    /// Signs everything appended. `time_ns` is nanoseconds since the Unix epoch. Returns `Ok` only
    /// once the checkpoint is durable in the log and in the anchor.
    ///
    /// # Errors
    ///
    /// After any error the log must be opened again.
    pub fn checkpoint(&mut self, time_ns: i64) -> Result<Checkpoint, Error> {
        self.usable()?;
        self.guarded(|log| {
            log.publish_partials()?;
            std::mem::take(&mut log.round).finish()?;
            let old = log.signed.size();
            log.sign(time_ns)?;
            log.remove_partials(old)?;
            Ok(log.signed.clone())
        })
    }

    /// The number of entries in the log, including unsigned ones; also the next index.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The root hash over [`Log::size`] entries.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.edge.root()
    }

    /// The last signed checkpoint.
    #[must_use]
    pub fn signed(&self) -> &Checkpoint {
        &self.signed
    }

    /// The entry at an index, checked against its tile.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]; [`Error::Differs`] if the file no longer holds what was appended.
    pub fn entry(&self, index: u64) -> Result<Entry, Error> {
        let (path, bytes) = self.entry_bytes(index)?;
        Entry::decode(&bytes)
            .ok()
            .filter(|entry| entry.seq == index)
            .ok_or(Error::Differs { path })
    }

    fn entry_bytes(&self, index: u64) -> Result<(PathBuf, Vec<u8>), Error> {
        self.usable()?;
        if index >= self.size() {
            return Err(Error::OutOfRange {
                asked: index,
                size: self.size(),
            });
        }
        let n = index >> TILE_HEIGHT;
        let path = if n == full_count(0, self.size()) {
            self.tail.path().to_path_buf()
        } else {
            self.disk.log().join(path(&bundle(n, FULL)))
        };
        let nth = index % u64::from(FULL);
        let bytes = read_entry(&path, nth).map_err(|e| Error::io("read", &path, e))?;
        if self.tree().leaf(index)? != leaf_hash(&bytes) {
            return Err(Error::Differs { path });
        }
        Ok((path, bytes))
    }

    /// A view of the entries that the last checkpoint covers, readable while the log grows. None while
    /// entries wait for a checkpoint.
    #[must_use]
    pub fn view(&self) -> Option<View> {
        (self.size() == self.signed.size())
            .then(|| View::new(self.disk.log(), &self.edge, &self.signed))
    }

    fn usable(&self) -> Result<(), Error> {
        if self.failed {
            Err(Error::Failed)
        } else {
            Ok(())
        }
    }

    // A failed sync may have dropped data, so nothing is written after it.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let result = act(self);
        self.failed = result.is_err();
        result
    }

    fn write<E: Borrow<Entry>>(&mut self, entries: &[E]) -> Result<(), Error> {
        let mut buffer = Vec::new();
        for entry in entries {
            let bytes = entry.borrow().encode();
            push_entry(&mut buffer, &bytes);
            let full = self.edge.push(leaf_hash(&bytes));
            if full.is_empty() {
                continue;
            }
            self.tail.write(&buffer)?;
            buffer.clear();
            for tile in full {
                if tile.level == 0 {
                    let below = path(&bundle(tile.n, FULL));
                    self.disk.adopt(&mut self.tail, &below, &mut self.round)?;
                }
                let below = path(&hash_tile(tile.level, tile.n, FULL));
                self.disk.place(&below, &tile.hashes, &mut self.round)?;
            }
        }
        if buffer.is_empty() {
            return Ok(());
        }
        self.tail.write(&buffer)
    }

    fn publish_partials(&mut self) -> Result<(), Error> {
        if self.size() == self.signed.size() {
            return Ok(());
        }
        // A tile with the same index and width holds the same hashes and is already covered.
        let covered = partials(self.signed.size());
        for tile in partials(self.size()) {
            if covered.contains(&tile) {
                continue;
            }
            let below = path(&tile);
            if tile.is_data() {
                let tail = self.tail.path();
                let bytes = read(tail, BUNDLE_BYTES_MAX).map_err(|e| Error::io("read", tail, e))?;
                self.disk.place(&below, &bytes, &mut self.round)?;
            } else {
                let hashes = self.edge.tile(tile.level());
                self.disk.place(&below, hashes, &mut self.round)?;
            }
        }
        Ok(())
    }

    fn sign(&mut self, time_ns: i64) -> Result<(), Error> {
        let checkpoint =
            Checkpoint::sign(&self.origin, self.size(), self.root(), time_ns, &self.key);
        self.disk.sign_off(checkpoint.note())?;
        self.signed = checkpoint;
        Ok(())
    }

    fn remove_partials(&self, old: u64) -> Result<(), Error> {
        let kept = partials(self.signed.size());
        for tile in partials(old).iter().filter(|tile| !kept.contains(tile)) {
            self.disk.remove(&self.disk.log().join(path(tile)))?;
        }
        Ok(())
    }
}

fn read_entry(path: &Path, nth: u64) -> std::io::Result<Vec<u8>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut len = [0; 2];
    for _ in 0..nth {
        file.read_exact(&mut len)?;
        file.seek_relative(i64::from(u16::from_be_bytes(len)))?;
    }
    file.read_exact(&mut len)?;
    let mut entry = vec![0; usize::from(u16::from_be_bytes(len)).min(MAX_ENTRY_BYTES)];
    file.read_exact(&mut entry)?;
    Ok(entry)
}

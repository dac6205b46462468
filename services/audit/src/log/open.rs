//! Opening a log: creates it, or checks its right edge against both checkpoints and drops everything
//! beyond them.

use std::io::ErrorKind;
use std::path::Path;

use ed25519_dalek::SigningKey;
use tlog_tiles::Tile;

use super::{FULL, Log};
use crate::disk::{Disk, Round, Tail, read};
use crate::edge::Edge;
use crate::entry::leaf_hash;
use crate::layout::{
    BUNDLE_BYTES_MAX, HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, bundle, full_count, hash_tile, is_full,
    levels, partial_width, partials, path, split_entry, walk,
};
use crate::{Checkpoint, Entry, Error, MAX_NOTE_BYTES, Origin, Places};

impl Log {
    /// Creates a log whose entry 0 names its origin, and signs it. Finishes a creation that was
    /// interrupted. `time_ns` is nanoseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if either directory holds a checkpoint already.
    pub fn create(
        places: &Places,
        origin: &Origin,
        key: SigningKey,
        time_ns: i64,
    ) -> Result<Self, Error> {
        let disk = Disk::open(places)?;
        let (own, anchor) = (disk.checkpoint_path(), disk.anchor_path());
        if read_checkpoint(&anchor, origin, &key)?.is_some() {
            return Err(Error::Exists { path: anchor });
        }
        if let Some(signed) = read_checkpoint(&own, origin, &key)? {
            if signed.size() != 1 {
                return Err(Error::Exists { path: own });
            }
            return Self::recover(disk, origin, key, signed, None);
        }
        clear_beyond(&disk, 0)?;
        let tail = disk.tail(&[])?;
        // A placeholder for "nothing signed"; replaced before it is visible.
        let signed = Checkpoint::sign(origin, 0, Edge::default().root(), time_ns, &key);
        let (origin, edge) = (origin.clone(), Edge::default());
        let mut log = Self {
            disk,
            origin,
            key,
            edge,
            tail,
            round: Round::default(),
            signed,
            failed: false,
        };
        let genesis = Entry::genesis(log.origin.as_str(), time_ns);
        log.append(&[genesis])?;
        log.checkpoint(time_ns)?;
        Ok(log)
    }

    /// Opens a log. Reads both checkpoints, every tile and bundle at the right edge, and the names
    /// of the rest; [`crate::verify`] reads the rest. Drops everything beyond the checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error`] for a log that is shorter than, or differs from, the checkpoint of either directory.
    pub fn open(places: &Places, origin: &Origin, key: SigningKey) -> Result<Self, Error> {
        let disk = Disk::open(places)?;
        let need = |path: std::path::PathBuf| {
            read_checkpoint(&path, origin, &key)?.ok_or(Error::NoCheckpoint { path })
        };
        let signed = need(disk.checkpoint_path())?;
        let anchor = need(disk.anchor_path())?;
        if anchor.size() > signed.size() {
            return Err(Error::RolledBack {
                log: signed.size(),
                anchor: anchor.size(),
            });
        }
        Self::recover(disk, origin, key, signed, Some(anchor))
    }

    fn recover(
        disk: Disk,
        origin: &Origin,
        key: SigningKey,
        signed: Checkpoint,
        anchor: Option<Checkpoint>,
    ) -> Result<Self, Error> {
        let (edge, tail) = read_edge(&disk, &signed)?;
        clear_beyond(&disk, signed.size())?;
        let origin = origin.clone();
        let log = Self {
            disk,
            origin,
            key,
            edge,
            tail,
            round: Round::default(),
            signed,
            failed: false,
        };
        if let Some(anchor) = &anchor
            && log.tree().root_at(anchor.size())? != anchor.root()
        {
            return Err(Error::Replaced {
                size: anchor.size(),
            });
        }
        if anchor.as_ref() != Some(&log.signed) {
            log.disk.sign_off_anchor(log.signed.note())?;
        }
        Ok(log)
    }
}

fn read_checkpoint(
    path: &Path,
    origin: &Origin,
    key: &SigningKey,
) -> Result<Option<Checkpoint>, Error> {
    match read(path, MAX_NOTE_BYTES) {
        Ok(note) => Checkpoint::parse(&note, origin, &key.verifying_key())
            .map(Some)
            .map_err(|refused| Error::Checkpoint {
                path: path.to_path_buf(),
                refused,
            }),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path, e)),
    }
}

/// Reads a tile or bundle that the checkpoint covers.
fn read_covered(disk: &Disk, tile: &Tile, size: u64) -> Result<Vec<u8>, Error> {
    let path = disk.log().join(path(tile));
    let exact = usize::try_from(tile.width()).unwrap_or(TILE_WIDTH) * HASH_BYTES;
    let max = if tile.is_data() {
        BUNDLE_BYTES_MAX
    } else {
        exact
    };
    let bytes = read(&path, max).map_err(|e| {
        if e.kind() == ErrorKind::NotFound {
            Error::Shorter {
                size,
                path: path.clone(),
            }
        } else {
            Error::io("read", &path, e)
        }
    })?;
    if !tile.is_data() && bytes.len() < exact {
        return Err(Error::Shorter { size, path });
    }
    if bytes.len() > max {
        return Err(Error::Differs { path });
    }
    Ok(bytes)
}

fn read_edge(disk: &Disk, signed: &Checkpoint) -> Result<(Edge, Tail), Error> {
    let size = signed.size();
    let mut tiles = Vec::new();
    for level in levels(size) {
        let width = partial_width(level, size);
        tiles.push(if width == 0 {
            Vec::new()
        } else {
            read_covered(
                disk,
                &hash_tile(level, full_count(level, size), width),
                size,
            )?
        });
    }
    let edge = Edge::from_tiles(size, tiles);
    let full = full_count(0, size);
    if let Some(last) = full.checked_sub(1) {
        let hashes = read_covered(disk, &hash_tile(0, last, FULL), size)?;
        check_bundle(disk, &bundle(last, FULL), &hashes, size)?;
    }
    let mut unfinished = Vec::new();
    let width = partial_width(0, size);
    if width > 0 {
        unfinished = check_bundle(disk, &bundle(full, width), edge.tile(0), size)?;
    }
    check_parents(disk, &edge)?;
    if edge.root() != signed.root() {
        let top = partials(size).last().map(path).unwrap_or_default();
        return Err(Error::Differs {
            path: disk.log().join(top),
        });
    }
    Ok((edge, disk.tail(&unfinished)?))
}

/// Rehashes a bundle against the tile above it; returns the bundle.
fn check_bundle(disk: &Disk, tile: &Tile, hashes: &[u8], size: u64) -> Result<Vec<u8>, Error> {
    let bytes = read_covered(disk, tile, size)?;
    let path = || disk.log().join(path(tile));
    let mut rest = bytes.as_slice();
    for hash in hashes.chunks(HASH_BYTES) {
        let (entry, after) =
            split_entry(rest).ok_or_else(|| Error::Shorter { size, path: path() })?;
        if leaf_hash(entry) != hash {
            return Err(Error::Differs { path: path() });
        }
        rest = after;
    }
    if rest.is_empty() {
        Ok(bytes)
    } else {
        Err(Error::Differs { path: path() })
    }
}

/// Checks the last full tile of each level against the level above.
fn check_parents(disk: &Disk, edge: &Edge) -> Result<(), Error> {
    let size = edge.size();
    for level in levels(size) {
        let Some(last) = full_count(level, size).checked_sub(1) else {
            break;
        };
        let tile = hash_tile(level, last, FULL);
        let hash = Tile::subtree_hash(&read_covered(disk, &tile, size)?).0;
        let above = if edge.tile(level + 1).is_empty() {
            let n = (last + 1) >> TILE_HEIGHT;
            read_covered(disk, &hash_tile(level + 1, n.saturating_sub(1), FULL), size)?
        } else {
            edge.tile(level + 1).to_vec()
        };
        if !above.ends_with(&hash) {
            return Err(Error::Differs {
                path: disk.log().join(path(&tile)),
            });
        }
    }
    Ok(())
}

/// Removes every tile and bundle that is not part of a log of `size` entries, and refuses a log with
/// a missing one.
fn clear_beyond(disk: &Disk, size: u64) -> Result<(), Error> {
    let kept = partials(size);
    let mut seen = [0_u64; 9];
    walk(
        disk.log(),
        |path, e| Error::io("read", path, e),
        |path, tile| {
            let tile = tile.ok_or_else(|| Error::Foreign {
                path: path.to_path_buf(),
            })?;
            if is_full(&tile) && tile.level_index() < full_count(tile.level(), size) {
                let slot = if tile.is_data() {
                    8
                } else {
                    usize::from(tile.level())
                };
                if let Some(count) = seen.get_mut(slot) {
                    *count += 1;
                }
                return Ok(());
            }
            if kept.contains(&tile) {
                Ok(())
            } else {
                disk.remove(path)
            }
        },
    )?;
    for (slot, count) in (0_u8..).zip(seen) {
        let level = if slot == 8 { 0 } else { slot };
        let full = if level < 7 {
            full_count(level, size)
        } else {
            0
        };
        let name = |n| {
            if slot == 8 {
                bundle(n, FULL)
            } else {
                hash_tile(level, n, FULL)
            }
        };
        if count < full {
            let missing = (0..full).map(name).map(|tile| disk.log().join(path(&tile)));
            if let Some(path) = missing.into_iter().find(|path| !path.exists()) {
                return Err(Error::Shorter { size, path });
            }
        }
    }
    Ok(())
}

//! Verification of a log or a single proof, with only files and the public key.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ed25519_dalek::VerifyingKey;
use signed_note::Note;
use tlog_tiles::{Hash, Tile};

use crate::disk::read;
use crate::edge::{Edge, FullTile};
use crate::entry::leaf_hash;
use crate::layout::{
    ANCHOR, BUNDLE_BYTES_MAX, CHECKPOINT, HASH_BYTES, TAIL, TILE_HEIGHT, TILE_WIDTH, bundle,
    full_count, hash_tile, is_full, levels, partial_width, partials, path, split_entry, walk,
};
use crate::{
    Bad, Checkpoint, ConsistencyProof, Entry, InclusionProof, MAX_NOTE_BYTES, MAX_SIZE, Origin,
    Places, Problem, Refused,
};

/// The maximum number of hashes of a proof.
pub const MAX_PROOF_HASHES: usize = 63;

const FULL: u32 = 1 << TILE_HEIGHT;

/// The report on a verified log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The log's own checkpoint; every entry it covers was rehashed.
    pub checkpoint: Checkpoint,
    /// Size of the anchored checkpoint, at most that of the log's own.
    pub anchored: u64,
    /// The number of tile and bundle files that no checkpoint covers; opening the log drops them.
    pub beyond: u64,
    /// The working file of the incomplete bundle, if it differs from the bundle: nothing relies on it, and opening the
    /// log writes it again.
    pub damaged: Option<PathBuf>,
}

/// Rehashes a whole log from its entries and checks every tile and both checkpoints. Reads only;
/// takes no lock, so it also runs beside the service. `observer` gets each entry with its bytes, in
/// order from index 0, and can refuse it with a sentence; it gets no entry after the first whose
/// hash is not in its tile. Not covered, because nothing relies on them: `lock` and `tmp`.
///
/// # Errors
///
/// The first bad place.
pub fn verify(
    places: &Places,
    origin: &Origin,
    key: &VerifyingKey,
    observer: impl FnMut(u64, &Entry, &[u8]) -> Result<(), String>,
) -> Result<Report, Bad> {
    let (own, anchor) = (places.log.join(CHECKPOINT), places.anchor.join(ANCHOR));
    let anchored = read_checkpoint(&anchor, origin, key)?;
    let signed = read_checkpoint(&own, origin, key)?;
    if anchored.size() > signed.size() {
        let problem = Problem::RolledBack {
            log: signed.size(),
            anchor: anchored.size(),
        };
        return Err(Bad::file(&anchor, problem));
    }
    // Read these first, because a running service removes them at its next checkpoint.
    let mut right = Vec::new();
    for tile in partials(signed.size()) {
        right.push((tile, read_tile(&places.log, &tile)?));
    }
    let beyond = count_beyond(&places.log, signed.size())?;
    let mut scan = Scan {
        log: &places.log,
        origin,
        size: signed.size(),
        right,
        edge: Edge::default(),
        suspect: None,
        observer,
        anchored: (anchored.size(), None),
    };
    scan.bundles()?;
    scan.conclude(signed.root(), &own)?;
    if scan.anchored.1 != Some(anchored.root()) {
        return Err(Bad::file(&anchor, Problem::Replaced));
    }
    let damaged = damaged_tail(&places.log, &scan.right)
        // A running service writes both files at its next checkpoint.
        .filter(|_| note(&own).is_ok_and(|now| now == signed.note()));
    Ok(Report {
        checkpoint: signed,
        anchored: anchored.size(),
        beyond,
        damaged,
    })
}

/// The file that holds the entries of the incomplete bundle, if it does not begin with them.
fn damaged_tail(log: &Path, right: &[(Tile, Vec<u8>)]) -> Option<PathBuf> {
    let (_, bundle) = right.iter().find(|(tile, _)| tile.is_data())?;
    let path = log.join(TAIL);
    let begins = read_file(&path, BUNDLE_BYTES_MAX).is_ok_and(|tail| tail.starts_with(bundle));
    (!begins).then_some(path)
}

/// Checks that the log with this origin and key signed a checkpoint that covers this entry at
/// `index`. Needs no file and no service; looks at no more than [`crate::MAX_ENTRY_BYTES`],
/// [`MAX_PROOF_HASHES`] and [`MAX_NOTE_BYTES`]. Returns the entry and the checkpoint.
///
/// # Errors
///
/// Any [`Refused`]: the entry is not proven.
pub fn verify_inclusion(
    entry: &[u8],
    index: u64,
    proof: &InclusionProof,
    note: &[u8],
    key: &VerifyingKey,
    origin: &Origin,
) -> Result<(Entry, Checkpoint), Refused> {
    let checkpoint = Checkpoint::parse(note, origin, key)?;
    let fits = proof.hashes.len() <= MAX_PROOF_HASHES
        && proof.index == index
        && proof.size == checkpoint.size()
        && index < checkpoint.size();
    if !fits {
        return Err(Refused::ProofShape);
    }
    let parsed = Entry::decode(entry)?;
    if parsed.seq != index {
        return Err(Refused::EntryIndex);
    }
    let hashes = proof.hashes.iter().copied().map(Hash).collect();
    let (root, leaf) = (Hash(checkpoint.root()), Hash(leaf_hash(entry)));
    tlog_tiles::check_record(&hashes, checkpoint.size(), root, index, leaf)
        .map_err(|_| Refused::Proof)?;
    Ok((parsed, checkpoint))
}

/// Checks that the log that `new` signs begins with the whole log that `old` signs.
///
/// # Errors
///
/// Any [`Refused`]: the log was rewritten, or the proof is invalid.
pub fn verify_consistency(
    old: &Checkpoint,
    new: &Checkpoint,
    proof: &ConsistencyProof,
) -> Result<(), Refused> {
    let fits = proof.hashes.len() <= MAX_PROOF_HASHES
        && proof.old == old.size()
        && proof.new == new.size()
        && old.size() <= new.size();
    if !fits {
        return Err(Refused::ProofShape);
    }
    let hashes = proof.hashes.iter().copied().map(Hash).collect();
    let (old_root, new_root) = (Hash(old.root()), Hash(new.root()));
    tlog_tiles::check_tree(&hashes, new.size(), new_root, old.size(), old_root)
        .map_err(|_| Refused::Proof)
}

/// Passes the entries that the log's own checkpoint claims to `observer`, without verification;
/// skips invalid entries, which [`verify`] reports.
pub(crate) fn scan(places: &Places, mut observer: impl FnMut(u64, &Entry)) -> Result<(), Bad> {
    let bytes = note(&places.log.join(CHECKPOINT))?;
    let claimed = Note::from_bytes(&bytes).ok();
    let claimed = claimed.and_then(|note| tlog_tiles::Checkpoint::from_bytes(note.text()).ok());
    let size = claimed.map_or(0, |claimed| claimed.size()).min(MAX_SIZE);
    // Read this one first, because a running service removes it at its next checkpoint.
    let last = match partial_width(0, size) {
        0 => None,
        width => Some(read_tile(&places.log, &bundle(full_count(0, size), width))?),
    };
    for n in 0..=full_count(0, size) {
        let bytes = if n < full_count(0, size) {
            read_tile(&places.log, &bundle(n, FULL))?
        } else {
            last.clone().unwrap_or_default()
        };
        let mut rest = bytes.as_slice();
        for index in n << TILE_HEIGHT.. {
            let Some((entry, after)) = split_entry(rest) else {
                break;
            };
            rest = after;
            if let Ok(entry) = Entry::decode(entry) {
                observer(index, &entry);
            }
        }
    }
    Ok(())
}

/// Reads a checkpoint without verification.
pub(crate) fn note(path: &Path) -> Result<Vec<u8>, Bad> {
    read_file(path, MAX_NOTE_BYTES)
}

struct Scan<'a, F> {
    log: &'a Path,
    origin: &'a Origin,
    size: u64,
    right: Vec<(Tile, Vec<u8>)>,
    /// The tree computed from the entries.
    edge: Edge,
    suspect: Option<Suspect>,
    observer: F,
    /// The size of the anchored checkpoint, and the root computed from the entries at that size.
    anchored: (u64, Option<[u8; 32]>),
}

/// The first place where entries and tiles disagree; the signed root tells which of them is bad.
struct Suspect {
    index: Option<u64>,
    tile: PathBuf,
}

impl<F: FnMut(u64, &Entry, &[u8]) -> Result<(), String>> Scan<'_, F> {
    fn bundles(&mut self) -> Result<(), Bad> {
        for n in 0..full_count(0, self.size) {
            self.bundle(n, FULL)?;
        }
        match partial_width(0, self.size) {
            0 => Ok(()),
            width => self.bundle(full_count(0, self.size), width),
        }
    }

    fn bundle(&mut self, n: u64, width: u32) -> Result<(), Bad> {
        let (hashes, entries) = (hash_tile(0, n, width), bundle(n, width));
        let stored = self.stored(&hashes)?;
        let bytes = self.stored(&entries)?;
        let mut rest = bytes.as_slice();
        for (index, hash) in (n << TILE_HEIGHT..).zip(stored.chunks(HASH_BYTES)) {
            let Some((entry, after)) = split_entry(rest) else {
                return Err(self.first(Bad::entry(index, Problem::Length)));
            };
            rest = after;
            let leaf = leaf_hash(entry);
            if leaf != hash {
                self.suspect(Some(index), &hashes);
            }
            if self.suspect.is_none() {
                self.observe(index, entry)?;
            }
            for tile in self.edge.push(leaf) {
                self.compare(&tile)?;
            }
            if self.edge.size() == self.anchored.0 {
                self.anchored.1 = Some(self.edge.root());
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.first(Bad::file(&self.log.join(path(&entries)), Problem::Length)))
    }

    fn observe(&mut self, index: u64, bytes: &[u8]) -> Result<(), Bad> {
        let refuse = |refused| Bad::entry(index, Problem::Refused(refused));
        let entry = Entry::decode(bytes).map_err(refuse)?;
        if entry.seq != index {
            return Err(refuse(Refused::EntryIndex));
        }
        if index == 0 && !entry.is_genesis_of(self.origin.as_str()) {
            return Err(Bad::entry(index, Problem::Genesis));
        }
        (self.observer)(index, &entry, bytes)
            .map_err(|problem| Bad::entry(index, Problem::Observed(problem)))
    }

    /// Compares a full tile with the stored one; level 0 was compared hash by hash.
    fn compare(&mut self, tile: &FullTile) -> Result<(), Bad> {
        if tile.level > 0 {
            let name = hash_tile(tile.level, tile.n, FULL);
            if self.stored(&name)? != tile.hashes {
                self.suspect(None, &name);
            }
        }
        Ok(())
    }

    fn conclude(&mut self, root: [u8; 32], checkpoint: &Path) -> Result<(), Bad> {
        let differing: Vec<Tile> = self
            .right
            .iter()
            .filter(|(tile, bytes)| !tile.is_data() && self.edge.tile(tile.level()) != bytes)
            .map(|(tile, _)| *tile)
            .collect();
        for tile in differing {
            self.suspect(None, &tile);
        }
        let entries_are_signed = self.edge.root() == root;
        match self.suspect.take() {
            None if entries_are_signed => Ok(()),
            None => Err(Bad::file(checkpoint, Problem::Root)),
            Some(suspect) => match suspect.index {
                Some(index) if !entries_are_signed => Err(Bad::entry(index, Problem::Entry)),
                _ => Err(Bad::file(&suspect.tile, Problem::Tile)),
            },
        }
    }

    /// The earlier of this finding and the recorded one, for when hashing cannot continue.
    fn first(&mut self, found: Bad) -> Bad {
        match self.suspect.take().and_then(|suspect| suspect.index) {
            Some(index) => Bad::entry(index, Problem::Entry),
            None => found,
        }
    }

    fn suspect(&mut self, index: Option<u64>, tile: &Tile) {
        if self.suspect.is_none() {
            self.suspect = Some(Suspect {
                index,
                tile: self.log.join(path(tile)),
            });
        }
    }

    fn stored(&self, tile: &Tile) -> Result<Vec<u8>, Bad> {
        match self.right.iter().find(|(name, _)| name == tile) {
            Some((_, bytes)) => Ok(bytes.clone()),
            None => read_tile(self.log, tile),
        }
    }
}

fn read_checkpoint(path: &Path, origin: &Origin, key: &VerifyingKey) -> Result<Checkpoint, Bad> {
    Checkpoint::parse(&note(path)?, origin, key)
        .map_err(|refused| Bad::file(path, Problem::Refused(refused)))
}

/// Reads a tile of exactly its width, or a bundle.
fn read_tile(log: &Path, tile: &Tile) -> Result<Vec<u8>, Bad> {
    let path = log.join(path(tile));
    let exact = usize::try_from(tile.width()).unwrap_or(TILE_WIDTH) * HASH_BYTES;
    let bytes = read_file(
        &path,
        if tile.is_data() {
            BUNDLE_BYTES_MAX
        } else {
            exact
        },
    )?;
    let fits = if tile.is_data() {
        bytes.len() <= BUNDLE_BYTES_MAX
    } else {
        bytes.len() == exact
    };
    if fits {
        Ok(bytes)
    } else {
        Err(Bad::file(&path, Problem::Length))
    }
}

pub(crate) fn read_file(path: &Path, max: usize) -> Result<Vec<u8>, Bad> {
    read(path, max).map_err(|e| unreadable(path, &e))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Bad {
    let kind = error.kind();
    let missing = kind == ErrorKind::NotFound;
    let problem = if missing {
        Problem::Missing
    } else {
        Problem::Unreadable(kind)
    };
    Bad::file(path, problem)
}

fn count_beyond(log: &Path, size: u64) -> Result<u64, Bad> {
    let kept = partials(size);
    let top = levels(size).count();
    let mut beyond = 0;
    walk(
        log,
        |path, e| unreadable(path, &e),
        |path, tile| {
            let tile = tile.ok_or_else(|| Bad::file(path, Problem::Foreign))?;
            let covered = usize::from(tile.level()) < top
                && is_full(&tile)
                && tile.level_index() < full_count(tile.level(), size);
            if !covered && !kept.contains(&tile) {
                beyond += 1;
            }
            Ok(())
        },
    )?;
    Ok(beyond)
}

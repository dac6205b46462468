//! The names and formats of the log's files: C2SP `tlog-tiles` below `tile/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tlog_tiles::Tile;

pub(crate) const HASH_BYTES: usize = 32;
pub(crate) const TILE_HEIGHT: u8 = 8;
pub(crate) const TILE_WIDTH: usize = 256;
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const ANCHOR: &str = "checkpoint.last";
pub(crate) const TAIL: &str = "tail";
pub(crate) const TMP: &str = "tmp";
pub(crate) const LOCK: &str = "lock";
pub(crate) const TILES: &str = "tile";

const LEVEL_MAX: u8 = 7;
const LENGTH_BYTES: usize = 2;
const DEPTH_MAX: usize = 8;

/// The maximum size of an entry bundle.
pub(crate) const BUNDLE_BYTES_MAX: usize = TILE_WIDTH * (LENGTH_BYTES + crate::MAX_ENTRY_BYTES);

/// A hash tile of `width` hashes, 1 to 256.
pub(crate) fn hash_tile(level: u8, n: u64, width: u32) -> Tile {
    Tile::new(TILE_HEIGHT, level, n, width, false)
}

/// An entry bundle of `width` entries, 1 to 256.
pub(crate) fn bundle(n: u64, width: u32) -> Tile {
    Tile::new(TILE_HEIGHT, 0, n, width, true)
}

pub(crate) fn is_full(tile: &Tile) -> bool {
    tile.width() == 1 << TILE_HEIGHT
}

/// The number of full tiles of a level in a log of `size` entries.
pub(crate) fn full_count(level: u8, size: u64) -> u64 {
    size >> (TILE_HEIGHT * (level + 1))
}

/// The levels of tiles in a log of `size` entries.
pub(crate) fn levels(size: u64) -> impl Iterator<Item = u8> {
    (0..=LEVEL_MAX).take_while(move |level| {
        size.checked_shr(u32::from(TILE_HEIGHT * level))
            .is_some_and(|count| count > 0)
    })
}

/// The number of hashes in the incomplete tile of a level, 0 to 255.
pub(crate) fn partial_width(level: u8, size: u64) -> u32 {
    let count = size >> (TILE_HEIGHT * level);
    u32::try_from(count % (1 << TILE_HEIGHT)).expect("less than 256")
}

/// The incomplete tiles of a log of `size` entries, its incomplete bundle first.
pub(crate) fn partials(size: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for level in levels(size) {
        let width = partial_width(level, size);
        if width > 0 {
            let n = full_count(level, size);
            if level == 0 {
                tiles.push(bundle(n, width));
            }
            tiles.push(hash_tile(level, n, width));
        }
    }
    tiles
}

/// The path of a tile or bundle below the log directory.
pub(crate) fn path(tile: &Tile) -> PathBuf {
    let name = tile.path();
    // The library's paths contain the height and name bundles "data"; C2SP paths do neither.
    let rest = name.strip_prefix("tile/8/").unwrap_or(&name);
    let mut path = PathBuf::from(TILES);
    match rest.strip_prefix("data/") {
        Some(rest) => path.extend(["entries", rest]),
        None => path.push(rest),
    }
    path
}

/// Parses the path of a tile or bundle below `tile/`; none for other paths.
fn parse(rest: &str) -> Option<Tile> {
    let (level, n) = rest.split_once('/')?;
    // The library panics on a width of 0 and on levels from 64.
    let width = n.split_once(".p/").map(|(_, width)| width);
    if width.is_some_and(|width| width.starts_with('0')) {
        return None;
    }
    let level = if level == "entries" {
        "data"
    } else {
        level
            .parse::<u8>()
            .ok()
            .filter(|level| *level <= LEVEL_MAX)?;
        level
    };
    Tile::from_path(&format!("tile/8/{level}/{n}")).ok()
}

/// Calls `visit` for each file below `tile/`, with its tile if it is one. Directories that are nested
/// deeper than any tile are visited like files.
pub(crate) fn walk<E>(
    log: &Path,
    unreadable: impl Fn(&Path, io::Error) -> E,
    mut visit: impl FnMut(&Path, Option<Tile>) -> Result<(), E>,
) -> Result<(), E> {
    let mut open = vec![String::new()];
    while let Some(below) = open.pop() {
        let dir = log.join(TILES).join(&below);
        let listing = match fs::read_dir(&dir) {
            Ok(listing) => listing,
            Err(error) if below.is_empty() && error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(unreadable(&dir, error)),
        };
        for item in listing {
            let item = item.map_err(|error| unreadable(&dir, error))?;
            let kind = item
                .file_type()
                .map_err(|error| unreadable(&item.path(), error))?;
            let name = item.file_name();
            let Some(name) = name.to_str() else {
                visit(&item.path(), None)?;
                continue;
            };
            let rest = if below.is_empty() {
                name.to_owned()
            } else {
                format!("{below}/{name}")
            };
            if kind.is_dir() && rest.split('/').count() < DEPTH_MAX {
                open.push(rest);
            } else {
                visit(&item.path(), parse(&rest).filter(|_| kind.is_file()))?;
            }
        }
    }
    Ok(())
}

/// Appends an encoded entry, at most 65,535 bytes, to a bundle.
pub(crate) fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    let len = u16::try_from(entry.len()).expect("an encoded entry fits 16 bits");
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Splits off the first entry of a bundle; `None` if the bundle ends within it.
pub(crate) fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bundle.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

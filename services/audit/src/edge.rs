//! The right edge of the Merkle tree: the incomplete tile of each level.

use tlog_tiles::{EMPTY_HASH, Hash, Tile, node_hash};

use crate::layout::{HASH_BYTES, TILE_HEIGHT, TILE_WIDTH};

/// A tile that an appended hash completed.
pub(crate) struct FullTile {
    pub(crate) level: u8,
    pub(crate) n: u64,
    pub(crate) hashes: Vec<u8>,
}

/// The incomplete tile of each level, concatenated hashes, lowest level first; at most 8 KiB each.
#[derive(Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<u8>>,
}

impl Edge {
    /// An edge that was read from disk; `levels` holds, for each level that has hashes, its incomplete
    /// tile, which may be empty.
    pub(crate) fn from_tiles(size: u64, levels: Vec<Vec<u8>>) -> Self {
        Self { size, levels }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The incomplete tile of a level; empty if there is none.
    pub(crate) fn tile(&self, level: u8) -> &[u8] {
        self.levels
            .get(usize::from(level))
            .map_or(&[], Vec::as_slice)
    }

    /// Adds a leaf hash; returns the tiles it completed, lowest level first.
    pub(crate) fn push(&mut self, leaf: [u8; 32]) -> Vec<FullTile> {
        let mut full = Vec::new();
        let mut hash = leaf;
        self.size += 1;
        for level in 0_u8.. {
            if usize::from(level) == self.levels.len() {
                self.levels
                    .push(Vec::with_capacity(TILE_WIDTH * HASH_BYTES));
            }
            let Some(tile) = self.levels.get_mut(usize::from(level)) else {
                break;
            };
            tile.extend_from_slice(&hash);
            if tile.len() < TILE_WIDTH * HASH_BYTES {
                break;
            }
            let hashes = std::mem::take(tile);
            hash = Tile::subtree_hash(&hashes).0;
            let n = (self.size >> (TILE_HEIGHT * (level + 1))) - 1;
            full.push(FullTile { level, n, hashes });
        }
        full
    }

    /// The RFC 6962 root of all pushed leaves.
    pub(crate) fn root(&self) -> [u8; 32] {
        let mut right: Option<Hash> = None;
        for tile in &self.levels {
            let mut end = tile.len();
            let mut width = HASH_BYTES;
            // The lowest set bit is the rightmost perfect subtree.
            while end > 0 {
                if end & width != 0 {
                    let left = Tile::subtree_hash(tile.get(end - width..end).unwrap_or_default());
                    right = Some(right.map_or(left, |right| node_hash(left, right)));
                    end -= width;
                }
                width *= 2;
            }
        }
        right.unwrap_or(EMPTY_HASH).0
    }
}

#[cfg(test)]
mod tests {
    use super::Edge;
    use crate::leaf_hash;
    use tlog_tiles::{Hash, node_hash};

    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn roots_of_small_trees_are_those_of_the_published_rfc_6962_vectors() {
        let mut edge = Edge::default();
        assert_eq!(edge.root().to_vec(), bytes(ROOTS[0]));
        for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
            edge.push(leaf_hash(&bytes(leaf)));
            assert_eq!(edge.root().to_vec(), bytes(root));
        }
    }

    #[test]
    fn a_node_is_hashed_with_its_own_prefix() {
        let (left, right) = (Hash(leaf_hash(b"")), Hash(leaf_hash(&[0])));
        assert_eq!(node_hash(left, right).0.to_vec(), bytes(ROOTS[2]));
    }
}

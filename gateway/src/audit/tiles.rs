//! The log as tiles: the static form that transparency-log tools read (C2SP tlog-tiles).
//!
//! Owns which tiles there are, where they stand (`tile/0/x001/234`, `tile/entries/000.p/7`) and
//! their bytes. A tile of hashes has up to 256 nodes of every eighth level of the tree; a tile of
//! entries has up to 256 entries, each after its length in two bytes, most significant first. A
//! full tile never changes. Pure: rows are handed in. It must never know a store or a file.
//!
//! ```
//! use gateway::audit::tiles::Tile;
//! let tile = Tile::parse("tile/0/x001/067.p/8").unwrap();
//! assert_eq!((tile.rows().len(), tile.to_string().as_str()), (8, "tile/0/x001/067.p/8"));
//! assert!(Tile::parse("tile/0/1067").is_none(), "one way to write each path");
//! ```
//!
//! Limits: tiles of height 8 only, which is all that C2SP tlog-tiles knows.

use std::fmt;

use tlog_tiles::tile::Tile as Coordinates;

use super::tree::{NodeAt, TreeHash, node_hash};
use super::verify::Row;

/// A tile of the log. There is exactly one path for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile(Coordinates);

impl Tile {
    /// From its path, without what stands before `tile/`. `None` when it is no path of a tile.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        if let Some((_, width)) = rest.rsplit_once(".p/") {
            let width: u64 = width.parse().ok()?;
            (1..WIDTH).contains(&width).then_some(())?;
        }
        let (level, number) = rest.split_once('/')?;
        let level = match level {
            "entries" => "data",
            level => level.parse::<u8>().is_ok_and(|one| one <= LEVEL_MAX).then_some(level)?,
        };
        Coordinates::from_path(&format!("tile/{HEIGHT}/{level}/{number}")).ok().map(Self)
    }

    /// The tiles to publish when a log that had `before` entries has `size`; every one when it had
    /// none. Both sizes at most [`SIZE_MAX`](super::tree::SIZE_MAX), `before` not above `size`.
    pub fn of_growth(before: u64, size: u64) -> Vec<Self> {
        if before >= size || size > super::tree::SIZE_MAX {
            return Vec::new();
        }
        let hashes = Coordinates::new_tiles(HEIGHT, before, size);
        let leaves = hashes.iter().filter(|tile| tile.level() == 0);
        let entries = leaves.map(|tile| {
            let mut tile = *tile;
            tile.set_is_data();
            Self(tile)
        });
        let entries: Vec<Self> = entries.collect();
        hashes.into_iter().map(Self).chain(entries).collect()
    }

    /// Whether it holds entries; else it holds hashes.
    pub fn has_entries(self) -> bool {
        self.0.is_data()
    }

    /// Whether it has all 256 of its hashes or entries, so that it never changes.
    pub fn is_full(self) -> bool {
        u64::from(self.0.width()) == WIDTH
    }

    /// Whether a log of this many entries has it.
    pub fn is_in(self, size: u64) -> bool {
        self.rows().last().is_some_and(|row| *row < size)
    }

    /// The same tile when it has all of its hashes or entries: what a smaller one grows to.
    #[must_use]
    pub fn grown(self) -> Self {
        let (level, number) = (self.0.level(), self.0.level_index());
        Self(Coordinates::new(HEIGHT, level, number, FULL, self.0.is_data()))
    }

    /// The places of the rows it is made of, in their order.
    pub fn rows(self) -> Vec<u64> {
        self.nodes().map(NodeAt::row).collect()
    }

    /// Its bytes, from the rows at [`Tile::rows`]. `None` when those are other rows, or an entry
    /// is longer than its length can say.
    pub fn bytes(self, rows: &[Row]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut given = rows.iter();
        for node in self.nodes() {
            let row = given.next().filter(|row| row.seq == node.row())?;
            if self.has_entries() {
                bytes.extend(u16::try_from(row.leaf.len()).ok()?.to_be_bytes());
                bytes.extend(&row.leaf);
            } else {
                bytes.extend(node.pick(&row.nodes)?);
            }
        }
        given.next().is_none().then_some(bytes)
    }

    fn nodes(self) -> impl Iterator<Item = NodeAt> {
        let level = if self.has_entries() { 0 } else { self.0.level().saturating_mul(HEIGHT) };
        let from = self.0.level_index().saturating_mul(WIDTH);
        (0..u64::from(self.0.width())).map(move |one| NodeAt { level, number: from + one })
    }
}

/// A node of the tree of a log of this size, from the tile of hashes that it can be made of, which
/// `read` fetches. `None` when the log has no such node, or the tile is not there or too short.
pub fn node_in_tiles(
    size: u64,
    node: NodeAt,
    read: impl Fn(Tile) -> Option<Vec<u8>>,
) -> Option<TreeHash> {
    let (level, height) = (node.level / HEIGHT, u32::from(node.level % HEIGHT));
    let first = node.number.checked_mul(1_u64.checked_shl(height)?)?;
    let number = first / WIDTH;
    let there = size.checked_shr(u32::from(level) * u32::from(HEIGHT))?;
    let width = there.checked_sub(number * WIDTH)?.min(WIDTH);
    let count = 1_usize.checked_shl(height)?;
    let from = usize::try_from(first % WIDTH).ok()?;
    if u64::try_from(from + count).ok()? > width {
        return None;
    }
    let bytes =
        read(Tile(Coordinates::new(HEIGHT, level, number, u32::try_from(width).ok()?, false)))?;
    let (hashes, _) = bytes.as_chunks::<32>();
    let mut hashes = hashes.get(from..from + count)?.to_vec();
    while let [_, _, ..] = hashes.as_slice() {
        let (pairs, _) = hashes.as_chunks::<2>();
        hashes = pairs.iter().map(|[left, right]| node_hash(*left, *right)).collect();
    }
    hashes.first().copied()
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.path();
        let prefix = format!("tile/{HEIGHT}/");
        let rest = path.strip_prefix(&prefix).unwrap_or(&path);
        match rest.strip_prefix("data/") {
            Some(number) => write!(f, "tile/entries/{number}"),
            None => write!(f, "tile/{rest}"),
        }
    }
}

/// The entries of a tile of entries, in their order; `None` when it is not one, whole.
pub fn entries(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    (entries.len() <= WIDTH_ENTRIES).then_some(entries)
}

/// Levels of the tree in one tile.
const HEIGHT: u8 = 8;
/// Hashes or entries in a full tile.
const WIDTH: u64 = 1 << HEIGHT;
const WIDTH_ENTRIES: usize = 1 << HEIGHT;
/// The same, as the library counts.
const FULL: u32 = 1 << HEIGHT;
/// A log of [`SIZE_MAX`](super::tree::SIZE_MAX) entries has no tile above this level.
const LEVEL_MAX: u8 = 5;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tlog_tiles::tile::{Tile as Coordinates, TileHashReader, TileReader};
use tlog_tiles::tlog::{self, Hash};

use super::*;
use crate::audit::tree::{Frontier, leaf_hash};

/// A log of so many entries, as it is stored.
fn log(size: u64) -> (Vec<Row>, [u8; 32]) {
    let mut frontier = Frontier::default();
    let rows = (0..size).map(|seq| {
        let leaf = format!("entry {seq}").into_bytes();
        let nodes = frontier.append(&leaf).unwrap();
        Row { seq, leaf, nodes }
    });
    let rows = rows.collect();
    (rows, frontier.root().unwrap())
}

fn bytes_of(tile: Tile, rows: &[Row]) -> Vec<u8> {
    let of_tile: Vec<Row> =
        tile.rows().into_iter().map(|row| rows[usize::try_from(row).unwrap()].clone()).collect();
    tile.bytes(&of_tile).unwrap()
}

/// What somebody has who downloaded the tiles, read by the library's own tile reader.
struct Downloaded(BTreeMap<String, Vec<u8>>);

impl TileReader for Downloaded {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Coordinates]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let found = tiles.iter().map(|tile| self.0.get(&Tile(*tile).to_string()).cloned());
        found.collect::<Option<_>>().ok_or(tlog::Error::IndexesNotInTree)
    }

    fn save_tiles(&self, _tiles: &[Coordinates], _data: &[Vec<u8>]) {}
}

fn downloaded(rows: &[Row], size: u64) -> Downloaded {
    let tiles = Tile::of_growth(0, size);
    Downloaded(tiles.into_iter().map(|one| (one.to_string(), bytes_of(one, rows))).collect())
}

#[test]
fn a_tile_reader_that_is_not_ours_proves_entries_and_growth_from_our_tiles() {
    for size in [1, 2, 255, 256, 257, 700, 66_000] {
        let (rows, root) = log(size);
        let (_, older_root) = log(size.div_ceil(2));
        let tiles = downloaded(&rows, size);
        let reader = TileHashReader::new(size, Hash(root), &tiles);
        for seq in [0, size / 3, size - 1] {
            let proof = tlog::prove_record(size, seq, &reader).unwrap();
            let leaf = Hash(leaf_hash(format!("entry {seq}").as_bytes()));
            tlog::check_record(&proof, size, Hash(root), seq, leaf).unwrap();
        }
        let older = size.div_ceil(2);
        let proof = tlog::prove_tree(size, older, &reader).unwrap();
        tlog::check_tree(&proof, size, Hash(root), older, Hash(older_root)).unwrap();
    }
}

#[test]
fn a_tile_that_was_altered_proves_nothing() {
    let (rows, root) = log(700);
    let mut tiles = downloaded(&rows, 700);
    tiles.0.get_mut("tile/0/001").unwrap()[77] ^= 1;
    let reader = TileHashReader::new(700, Hash(root), &tiles);
    let leaf = Hash(leaf_hash(b"entry 300"));
    // That reader does not look at every tile it reads, so the proof is what is judged.
    let proof = tlog::prove_record(700, 300, &reader);
    let holds = proof.and_then(|proof| tlog::check_record(&proof, 700, Hash(root), 300, leaf));
    assert!(holds.is_err());
}

#[test]
fn tiles_of_entries_give_the_entries_back() {
    let (rows, _) = log(300);
    let tiles = Tile::of_growth(0, 300);
    let mut read = Vec::new();
    let tiles: Vec<Tile> = tiles.into_iter().filter(|tile| tile.has_entries()).collect();
    assert_eq!(
        tiles.iter().map(Tile::to_string).collect::<Vec<_>>(),
        ["tile/entries/000", "tile/entries/001.p/44"]
    );
    for tile in tiles {
        let bytes = bytes_of(tile, &rows);
        read.extend(entries(&bytes).unwrap().into_iter().map(<[u8]>::to_vec));
        assert_eq!(entries(&bytes[..bytes.len() - 1]), None, "cut");
    }
    assert_eq!(read, rows.iter().map(|row| row.leaf.clone()).collect::<Vec<_>>());
}

#[test]
fn a_growing_log_publishes_what_is_new_and_no_full_tile_again() {
    let new = Tile::of_growth(256, 300);
    let new: Vec<String> = new.iter().map(Tile::to_string).collect();
    assert_eq!(new, ["tile/0/001.p/44", "tile/entries/001.p/44"]);
    assert!(Tile::of_growth(300, 300).is_empty());
    assert!(Tile::of_growth(301, 300).is_empty());
}

#[test]
fn only_the_rows_of_a_tile_make_it() {
    let (rows, _) = log(300);
    let tile = Tile::parse("tile/0/000.p/2").unwrap();
    assert!(tile.bytes(&rows[..2]).is_some());
    assert!(tile.bytes(&rows[..1]).is_none(), "too few");
    assert!(tile.bytes(&rows[..3]).is_none(), "too many");
    assert!(tile.bytes(&rows[1..3]).is_none(), "others");
    assert!(Tile::parse("tile/0/001.p/45").unwrap().is_in(301));
    assert!(!Tile::parse("tile/0/001.p/45").unwrap().is_in(300));
    assert!(Tile::parse("tile/1/000.p/1").unwrap().is_in(256));
    assert!(!Tile::parse("tile/1/000.p/1").unwrap().is_in(255));
}

#[test]
fn there_is_one_path_for_each_tile_and_nothing_else_is_one() {
    for path in
        ["tile/0/000", "tile/5/000.p/1", "tile/0/x001/234/567", "tile/entries/x123/456.p/255"]
    {
        let parsed = Tile::parse(path).map(|tile| tile.to_string());
        let expected = (path != "tile/0/x001/234/567").then(|| path.to_owned());
        assert_eq!(parsed, expected, "{path}");
    }
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/0",
        "tile/6/000",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/256",
        "tile/00/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/entries/000.p/",
        "tile/0/x000/000",
        "tile/0/../000",
        "/tile/0/000",
        "tile/-1/000",
        "tile/entries/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(Tile::parse(path), None, "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_panics_and_what_is_parsed_is_written_the_same(path in "tile/[0-9a-z./]{0,24}") {
        if let Some(tile) = Tile::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
            prop_assert!(!tile.rows().is_empty());
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_entries_panic(bytes in proptest::collection::vec(0u8.., 0..600)) {
        if let Some(entries) = entries(&bytes) {
            let length: usize = entries.iter().map(|entry| entry.len() + 2).sum();
            prop_assert_eq!(length, bytes.len());
        }
    }
}

#[test]
fn the_longest_entry_fits_a_tile_and_a_longer_one_is_not_appended() {
    let mut frontier = Frontier::default();
    let leaf = vec![b'x'; super::super::tree::LEAF_BYTES_MAX];
    let nodes = frontier.append(&leaf).unwrap();
    let tile = Tile::parse("tile/entries/000.p/1").unwrap();
    let bytes = tile.bytes(&[Row { seq: 0, leaf: leaf.clone(), nodes }]).unwrap();
    assert_eq!(entries(&bytes), Some(vec![leaf.as_slice()]));
    let longer = [leaf.as_slice(), b"x"].concat();
    assert_eq!(frontier.append(&longer), Err(crate::audit::tree::TreeError::Leaf));
}

#[test]
fn nodes_are_found_in_the_tiles_of_a_log_and_lead_to_its_roots() {
    for size in [1, 5, 256, 257, 700, 70_000] {
        let (rows, root) = log(size);
        let tiles = downloaded(&rows, size);
        let read = |tile: Tile| tiles.0.get(&tile.to_string()).cloned();
        let node = |node| node_in_tiles(size, node, read);
        assert_eq!(Frontier::rebuild(size, node).unwrap().root().unwrap(), root, "{size}");
        assert_eq!(node(NodeAt { level: 0, number: size }), None, "there is no such entry");
        assert_eq!(node(NodeAt { level: 40, number: 0 }), None);
    }
}

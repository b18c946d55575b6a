//! Whatever is done to the rows of a log, it is found, and nothing sound stands before it in doubt.

use proptest::prelude::*;

use super::*;

const SHORT: u64 = 21;

/// What to do with the row at a place.
fn edit(rows: &mut Vec<Row>, (place, what, with): (u8, u8, u16)) {
    if rows.is_empty() {
        return;
    }
    let (at, to) = (usize::from(place) % rows.len(), usize::from(with) % rows.len());
    let (byte, mask) = (usize::from(with), 1 << (with % 8));
    let row = &mut rows[at];
    match what % 6 {
        0 => {
            let byte = byte % row.leaf.len();
            row.leaf[byte] ^= mask;
        }
        1 => {
            let byte = byte % row.nodes.len();
            row.nodes[byte] ^= mask;
        }
        2 => row.seq ^= 1 << (with % 64),
        3 => drop(rows.remove(at)),
        4 => rows.insert(to, rows[at].clone()),
        _ => rows.swap(at, to),
    }
}

proptest! {
    #[test]
    fn a_log_altered_anyhow_is_found_and_nothing_after_the_first_bad_entry_is_named(
        edits in prop::collection::vec(any::<(u8, u8, u16)>(), 1..5)
    ) {
        let (rows, _) = log(SHORT, "a");
        let mut altered = rows.clone();
        for one in edits {
            edit(&mut altered, one);
        }
        let found = verify(&altered, vec![kept(8, "a"), kept(SHORT, "a")], None);
        prop_assert_eq!(found.is_whole(), altered == rows, "{:?}", found.faults);
        let first = rows.iter().zip(&altered).take_while(|(a, b)| a == b).count();
        if let Some(named) = found.first_bad() {
            // What stands before the named entry is what it was.
            prop_assert!(named <= u64::try_from(first).unwrap(), "{} named, {} is bad", named, first);
        }
    }

    #[test]
    fn no_rows_and_no_checkpoint_make_the_verifier_stumble(
        rows in prop::collection::vec((any::<u64>(), any::<[u8; 3]>(), 0_usize..200), 0..20),
        sizes in prop::collection::vec(any::<u64>(), 0..4),
    ) {
        let many = rows.len();
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|(seq, leaf, nodes)| Row { seq: seq % 24, leaf: leaf.to_vec(), nodes: vec![7; nodes] })
            .collect();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let kept = sizes.into_iter().map(|size| {
            Checkpoint { origin: "o".to_owned(), size, root: [7; 32], at }
        });
        let found = verify(&rows, kept.collect(), None);
        prop_assert_eq!(found.entries, u64::try_from(many).unwrap());
        prop_assert!(rows.is_empty() || !found.is_whole());
    }
}

//! Whatever is done to the bytes of a bundle, it is refused, or found, or still says the same.

use proptest::prelude::*;

use super::*;
use crate::audit::bundle;

const SHORT: u64 = 21;

/// What to do with the bytes or lines at a place.
fn edit(bytes: &mut Vec<u8>, (place, what, with): (u16, u8, u8)) {
    if bytes.is_empty() {
        return;
    }
    let at = usize::from(place) % bytes.len();
    match what % 6 {
        0 => bytes[at] ^= with | 1,
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, with),
        other => {
            let mut lines: Vec<Vec<u8>> =
                bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let (line, to) = (usize::from(place) % lines.len(), usize::from(with) % lines.len());
            match other {
                3 => drop(lines.remove(line)),
                4 => lines.insert(to, lines[line].clone()),
                _ => lines.swap(line, to),
            }
            *bytes = lines.concat();
        }
    }
}

proptest! {
    #[test]
    fn an_altered_bundle_is_refused_or_found_or_says_the_same(
        edits in prop::collection::vec(any::<(u16, u8, u8)>(), 1..5)
    ) {
        let (rows, _) = log(SHORT, "a");
        let mut bytes = Vec::new();
        for row in &rows {
            bundle::write_row(&mut bytes, row).unwrap();
        }
        for one in edits {
            edit(&mut bytes, one);
        }
        if let Ok(bundle) = bundle::read(&mut bytes.as_slice()) {
            let found = verify(&bundle.rows, vec![kept(8, "a"), kept(SHORT, "a")], None);
            prop_assert_eq!(found.is_whole(), bundle.rows == rows, "{:?}", found.faults);
            let first = rows.iter().zip(&bundle.rows).take_while(|(a, b)| a == b).count();
            if let Some(named) = found.first_bad() {
                // What stands before the named entry is what it was.
                prop_assert!(named <= u64::try_from(first).unwrap(), "{} named, {} is bad", named, first);
            }
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

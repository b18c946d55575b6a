mod properties;

use std::collections::BTreeMap;

use schemas::RecordId;
use uuid::Uuid;

use super::*;
use crate::audit::{Actor, EventKind};

const ENTRIES: u64 = 200;

fn record(seq: u64) -> RecordId {
    RecordId(Uuid::from_u128(u128::from(seq)))
}

/// A log in which every tenth entry vouches for a sealed record.
fn log(entries: u64, note: &str) -> (Vec<Row>, Frontier) {
    let mut frontier = Frontier::default();
    let row = |seq: u64| {
        let mut event = Event::new(EventKind::BoardViewed, Actor::gateway()).with("note", note);
        if seq.is_multiple_of(10) {
            event.kind = EventKind::RecordAccepted;
            event.record = Some(record(seq));
            event.hashes.insert(SEALED.to_owned(), format!("{seq:064x}"));
        }
        let entry = Entry { seq, at_us: 1, id: Uuid::from_u128(7), event };
        let leaf = entry.to_bytes().unwrap();
        let nodes = frontier.append(&leaf).unwrap();
        Row { seq, leaf, nodes }
    };
    let rows: Vec<Row> = (0..entries).map(row).collect();
    (rows, frontier)
}

fn kept(rows: u64, note: &str) -> Checkpoint {
    let (_, frontier) = log(rows, note);
    let at = jiff::Timestamp::UNIX_EPOCH;
    Checkpoint { origin: "o".to_owned(), size: rows, root: frontier.root().unwrap(), at }
}

fn sealed() -> BTreeMap<RecordId, String> {
    (0..ENTRIES).step_by(10).map(|seq| (record(seq), format!("{seq:064x}"))).collect()
}

fn judge(rows: &[Row]) -> Verification {
    verify(rows, vec![kept(50, "a"), kept(ENTRIES, "a")], None)
}

#[test]
fn an_honest_log_is_whole() {
    let (rows, frontier) = log(ENTRIES, "a");
    let found = verify(&rows, vec![kept(0, "a"), kept(50, "a"), kept(200, "a")], Some(&sealed()));
    assert!(found.is_whole(), "{:?}", found.faults);
    assert_eq!((found.entries, found.checkpoints_checked, found.records_checked), (200, 3, 20));
    assert_eq!(found.root, Some(crate::entropy::hex(&frontier.root().unwrap())));
}

#[test]
fn a_flipped_bit_in_any_byte_of_any_entry_or_its_hashes_names_that_entry() {
    let (rows, _) = log(ENTRIES, "a");
    for place in 0..rows.len() {
        let bytes = rows[place].leaf.len() + rows[place].nodes.len();
        // Every byte of some entries, a different byte of each of the others.
        let dense = place.is_multiple_of(50) || place == 127;
        let bytes: Vec<usize> = if dense { (0..bytes).collect() } else { vec![place * 7 % bytes] };
        for byte in bytes {
            let mut rows = rows.clone();
            let row = &mut rows[place];
            match row.leaf.len() {
                leaf if byte < leaf => row.leaf[byte] ^= 1 << (byte % 8),
                leaf => row.nodes[byte - leaf] ^= 1 << (byte % 8),
            }
            let found = verify(&rows, Vec::new(), None);
            assert_eq!(found.first_bad(), u64::try_from(place).ok(), "byte {byte}");
        }
    }
}

/// The log with an entry of another one, with all that is stored with it, in a place.
fn spliced(place: usize) -> Vec<Row> {
    let (mut rows, _) = log(ENTRIES, "a");
    let (mut others, _) = log(ENTRIES, "another log");
    rows[place] = others.swap_remove(place);
    rows
}

#[test]
fn an_entry_of_another_log_is_named_although_only_a_later_one_shows_it() {
    for place in (0..ENTRIES).step_by(3) {
        let rows = spliced(usize::try_from(place).unwrap());
        let found = verify(&rows, vec![kept(ENTRIES, "a")], None);
        assert_eq!(found.first_bad(), Some(place), "{:?}", found.faults);
    }
}

#[test]
fn a_checkpoint_between_an_entry_and_what_shows_it_keeps_its_name() {
    for place in (0..ENTRIES - 1).step_by(6) {
        let rows = spliced(usize::try_from(place).unwrap());
        let found = verify(&rows, vec![kept(place + 1, "a"), kept(ENTRIES, "a")], None);
        assert_eq!(found.first_bad(), Some(place), "{:?}", found.faults);
    }
}

#[test]
fn an_entry_changed_with_its_own_hashes_is_not_named_too_late() {
    let kept: Vec<_> = (0..=ENTRIES).step_by(5).map(|size| kept(size, "a")).collect();
    for place in (0..ENTRIES).step_by(3) {
        let (mut rows, _) = log(ENTRIES, "a");
        let (others, _) = log(place, "a");
        let mut frontier = Frontier::default();
        for row in others {
            frontier.append(&row.leaf).unwrap();
        }
        let at = usize::try_from(place).unwrap();
        let mut entry = Entry::parse(&rows[at].leaf).unwrap();
        entry.at_us = 2;
        rows[at].leaf = entry.to_bytes().unwrap();
        rows[at].nodes = frontier.append(&rows[at].leaf).unwrap();
        let found = verify(&rows, kept.clone(), None).first_bad().unwrap();
        assert!((place - place % 5..=place).contains(&found), "entry {place}: {found} was named");
    }
}

#[test]
fn an_entry_whose_number_was_changed_is_named_where_it_stands() {
    let (honest, _) = log(ENTRIES, "a");
    for place in (0..ENTRIES).step_by(9) {
        for bit in (0..64).step_by(3) {
            let mut rows = honest.clone();
            rows[usize::try_from(place).unwrap()].seq ^= 1 << bit;
            assert_eq!(verify(&rows, Vec::new(), None).first_bad(), Some(place), "bit {bit}");
        }
    }
}

#[test]
fn a_deleted_entry_is_named() {
    let (rows, _) = log(ENTRIES, "a");
    for place in 0..rows.len() {
        let mut rows = rows.clone();
        rows.remove(place);
        assert_eq!(judge(&rows).first_bad(), u64::try_from(place).ok());
    }
}

#[test]
fn a_deleted_entry_is_named_when_the_later_ones_are_renumbered() {
    let (rows, _) = log(ENTRIES, "a");
    for place in 0..rows.len() {
        let mut rows = rows.clone();
        rows.remove(place);
        for (seq, row) in (0..).zip(&mut rows) {
            row.seq = seq;
        }
        assert_eq!(judge(&rows).first_bad(), u64::try_from(place).ok());
    }
}

#[test]
fn swapped_entries_are_named_with_and_without_their_numbers() {
    let (rows, _) = log(ENTRIES, "a");
    for place in 0..rows.len() - 1 {
        let mut swapped = rows.clone();
        swapped.swap(place, place + 1);
        let found = judge(&swapped);
        assert_eq!(found.first_bad(), u64::try_from(place).ok());
        assert_eq!(found.faults[0].what, FaultKind::OutOfOrder);
        for (seq, row) in (0..).zip(&mut swapped) {
            row.seq = seq;
        }
        assert_eq!(judge(&swapped).first_bad(), u64::try_from(place).ok());
    }
}

#[test]
fn a_repeated_entry_is_named() {
    let (rows, _) = log(ENTRIES, "a");
    for place in 0..rows.len() {
        let mut rows = rows.clone();
        rows.insert(place, rows[place].clone());
        let found = judge(&rows);
        assert_eq!(found.faults.len(), 1);
        assert_eq!(found.faults[0].what, FaultKind::Repeated);
        assert_eq!(found.first_bad(), u64::try_from(place).ok());
    }
}

#[test]
fn a_log_cut_at_any_length_shows_against_a_kept_checkpoint() {
    let (rows, _) = log(ENTRIES, "a");
    for length in 0..rows.len() {
        let found = judge(&rows[..length]);
        assert_eq!(found.first_bad(), u64::try_from(length).ok());
        assert!(verify(&rows[..length], Vec::new(), None).is_whole(), "only the checkpoint knows");
    }
}

#[test]
fn a_consistent_rewrite_is_located_between_two_checkpoints() {
    let (rows, _) = log(ENTRIES, "rewritten");
    assert!(verify(&rows, Vec::new(), None).is_whole(), "consistent in itself");
    let found = verify(&rows, vec![kept(120, "a")], None);
    let rewritten = FaultKind::Rewritten { checkpoint_size: 120 };
    assert_eq!(found.faults, vec![Fault { first_bad: Some(0), what: rewritten.clone() }]);
    let found = verify(&rows, vec![kept(120, "a"), kept(50, "rewritten")], None);
    assert_eq!(found.faults, vec![Fault { first_bad: Some(50), what: rewritten }]);
}

#[test]
fn changed_missing_and_unvouched_sealed_records_are_named() {
    let (rows, _) = log(ENTRIES, "a");
    let mut store = sealed();
    store.insert(record(30), "changed".to_owned());
    store.remove(&record(70));
    store.insert(record(5), "stranger".to_owned());
    let found = verify(&rows, Vec::new(), Some(&store));
    let faults: Vec<_> = found.faults.into_iter().map(|f| (f.first_bad, f.what)).collect();
    assert_eq!(
        faults,
        vec![
            (Some(30), FaultKind::RecordChanged { record: record(30) }),
            (Some(70), FaultKind::RecordMissing { record: record(70) }),
            (None, FaultKind::RecordUnvouched { record: record(5) }),
        ]
    );
}

#[test]
fn an_entry_has_one_canonical_form() {
    let (rows, _) = log(1, "a");
    let text = String::from_utf8(rows[0].leaf.clone()).unwrap();
    assert!(Entry::parse(text.as_bytes()).is_ok());
    for other in
        [format!("{text} "), text.replacen(':', ": ", 1), text.replacen('{', "{\"x\":1,", 1)]
    {
        assert!(Entry::parse(other.as_bytes()).is_err());
    }
}

/// The log, with an entry after the last that says that a record was removed.
fn removed(seq: u64, hash: &str) -> Vec<Row> {
    let (mut rows, mut frontier) = log(ENTRIES, "a");
    let mut event = Event::new(EventKind::RecordRemoved, Actor::gateway());
    event.record = Some(record(seq));
    event.hashes.insert(REMOVED.to_owned(), hash.to_owned());
    let entry = Entry { seq: ENTRIES, at_us: 1, id: Uuid::from_u128(8), event };
    let leaf = entry.to_bytes().unwrap();
    let nodes = frontier.append(&leaf).unwrap();
    rows.push(Row { seq: ENTRIES, leaf, nodes });
    rows
}

#[test]
fn a_record_is_missing_lawfully_only_where_an_entry_says_that_just_these_bytes_were_removed() {
    let mut without = sealed();
    without.remove(&record(30));
    let lawful = verify(&removed(30, &format!("{:064x}", 30)), Vec::new(), Some(&without));
    assert!(lawful.is_whole(), "{:?}", lawful.faults);
    assert_eq!((lawful.records_checked, lawful.records_removed), (20, 1));

    let (rows, _) = log(ENTRIES, "a");
    let unlawful = verify(&rows, Vec::new(), Some(&without));
    let missing = FaultKind::RecordMissing { record: record(30) };
    assert_eq!(unlawful.faults, [Fault { first_bad: Some(30), what: missing }]);

    let still_there = verify(&removed(30, &format!("{:064x}", 30)), Vec::new(), Some(&sealed()));
    let what = FaultKind::RecordNotRemoved { record: record(30) };
    assert_eq!(still_there.faults, [Fault { first_bad: Some(ENTRIES), what }]);

    for (seq, hash) in [(30, format!("{:064x}", 40)), (31, format!("{:064x}", 31))] {
        let other = verify(&removed(seq, &hash), Vec::new(), Some(&without));
        let what = FaultKind::RecordRemovedOther { record: record(seq) };
        assert!(other.faults.contains(&Fault { first_bad: Some(ENTRIES), what }), "{other:?}");
    }
}

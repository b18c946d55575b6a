use super::super::tests::{entry, words};
use super::*;
use crate::audit::{EventKind, SubjectKey};

fn by(seq: u64, person: &str) -> Entry {
    let mut entry = entry(seq, EventKind::JourneyViewed, "334");
    entry.event.actor.person = Some(person.to_owned());
    entry.event.subject = Some(SubjectKey([u8::try_from(seq % 2).unwrap(); 32]));
    entry
}

#[test]
fn each_action_is_a_row_and_each_day_is_counted() {
    let entries = [by(30, "a"), by(7, "a"), by(2, "a"), by(1, "a")];
    let names: Names<'_> = &|code| code.to_owned();
    let late = |entry: &Entry| entry.seq == 7;
    let rows = words(&actions(&entries, (names, Marks::of(9)), &late));
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[1].last().map(String::as_str), Some("yes"));
    assert_eq!(rows[2].last().map(String::as_str), Some("no"));
    assert_eq!(
        words(&by_day(&entries, &late)),
        [["2026-01-06", "1", "0", "1"], ["2026-01-05", "3", "1", "2"]]
    );
}

#[test]
fn colleagues_are_counted_and_not_named() {
    let mut entries: Vec<Entry> = (0..3).map(|seq| by(seq, "a")).collect();
    entries.extend((3..4).map(|seq| by(seq, "b")));
    entries.extend((4..6).map(|seq| by(seq, "c")));
    entries.extend((6..11).map(|seq| by(seq, "d")));
    let sheet = compared(&entries, "a");
    let values: Vec<String> = words(&sheet).into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(values, ["3", "3", "2", "5", "1"]);
    let values: Vec<String> =
        words(&compared(&[], "a")).into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(values, ["0", "0", "", "", "0"]);
}

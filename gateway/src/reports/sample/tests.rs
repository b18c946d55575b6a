use super::super::tests::{entry, words};
use super::*;
use crate::audit::EventKind;

#[test]
fn the_same_root_draws_the_same_accesses_and_another_root_others() {
    let entries: Vec<Entry> =
        (0..200).map(|seq| entry(seq, EventKind::JourneyViewed, "334")).collect();
    let all: Vec<&Entry> = entries.iter().collect();
    let reversed: Vec<&Entry> = entries.iter().rev().collect();
    let seqs = |root: &str, of: &[&Entry]| -> Vec<u64> {
        drawn(root, of, 20).into_iter().map(|(_, entry)| entry.seq).collect()
    };
    assert_eq!(seqs("a", &all), seqs("a", &reversed));
    assert_eq!(seqs("a", &all).len(), 20);
    assert_ne!(seqs("a", &all), seqs("b", &all));
    // One access more moves out one at most: what is drawn does not depend on what else there is.
    let kept = seqs("a", &all);
    let still = seqs("a", all.get(1..).unwrap());
    assert!(kept.iter().filter(|seq| still.contains(seq)).count() >= 19);
    assert_eq!(drawn("a", &all, 500).len(), 200);
}

#[test]
fn a_lot_is_what_sha256sum_says() {
    // printf '%s %s' AAAA 7 | sha256sum
    assert_eq!(
        hex(&lot("AAAA", 7)),
        "3209c0c045f9e3fb346ea6ed91b8266b023cfa8431dae6276a25ca1990f6f521"
    );
}

#[test]
fn a_manager_has_room_to_confirm() {
    let one = entry(7, EventKind::JourneyViewed, "334");
    let table = sheet(&drawn("AAAA", &[&one], 1), &|code| code.to_owned(), Marks::of(9));
    let rows = words(&table);
    assert!(hex(&lot("AAAA", 7)).starts_with(&rows[0][0]));
    assert_eq!(rows[0][rows[0].len() - 3..], ["", "", ""]);
}

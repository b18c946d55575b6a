//! The hash of a list tells nobody who is on it, and proves it of each who is.

use super::{HASH, Looked, PEOPLE, hash_of};
use crate::audit::{Actor, Event, EventKind, SubjectKey};
use crate::entropy::SeededEntropy;

fn people(count: u8) -> impl Iterator<Item = SubjectKey> {
    (0..count).map(|n| SubjectKey([n; 32]))
}

#[test]
fn each_person_is_committed_to_once_and_in_no_order_of_theirs() {
    let entropy = SeededEntropy::new(7);
    let looked = Looked::at(people(9).chain(people(4)), &entropy).unwrap();
    assert_eq!(looked.people().len(), 9);
    let commitments = looked.commitments();
    assert!(commitments.is_sorted());
    let event = looked.told_in(Event::new(EventKind::BoardViewed, Actor::local()));
    assert_eq!(event.detail[PEOPLE], "9");
    assert_eq!(event.detail[HASH], hash_of(&commitments));
    for one in looked.people() {
        assert!(commitments.contains(&one.commitment()));
    }
}

#[test]
fn the_same_people_have_another_hash_at_every_look() {
    let entropy = SeededEntropy::new(8);
    let first = Looked::at(people(3), &entropy).unwrap();
    let second = Looked::at(people(3), &entropy).unwrap();
    assert_ne!(hash_of(&first.commitments()), hash_of(&second.commitments()));
    let again = Looked::from(first.people().iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(again, first, "the order in which rows come does not matter");
}

#[test]
fn a_list_of_nobody_has_a_hash_too() {
    let looked = Looked::at([], &SeededEntropy::new(9)).unwrap();
    let event = looked.told_in(Event::new(EventKind::BoardViewed, Actor::local()));
    assert_eq!(event.detail[PEOPLE], "0");
    assert_eq!(event.detail[HASH].len(), 64);
}

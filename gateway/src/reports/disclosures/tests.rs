use super::super::tests::{code, release, words};
use super::*;

const NAMES: Names<'static> = &|code| format!("the name of {code}");

#[test]
fn a_message_counts_once_when_it_first_left_and_consent_is_only_counted() {
    let newest_first = [
        release(9, 4, ("RXT", "statute")),
        release(8, 3, ("RXT", "consent")),
        release(7, 1, ("RXT", "statute")),
        release(6, 2, ("RRK", "best-interests")),
        release(5, 1, ("RXT", "statute")),
    ];
    let (without, with) = first_of_each(&newest_first);
    let seqs: Vec<u64> = without.iter().map(|entry| entry.seq).collect();
    assert_eq!((seqs, with), (vec![5, 6, 9], 1));
    let monthly = words(&by_month(&without, NAMES, false));
    assert_eq!(
        monthly,
        [
            ["2026-01", "best-interests", "a provision", "RRK", "the name of RRK", "1", "1"],
            ["2026-01", "statute", "a provision", "RXT", "the name of RXT", "2", "2"],
        ]
    );
    let senders = Senders::known([(without[0].event.record.unwrap(), code("334"))]);
    let each = words(&each(&without, &senders, NAMES, Marks::of(9)));
    let rows: Vec<[&str; 3]> =
        each.iter().map(|row| [row[0].as_str(), row[2].as_str(), row[3].as_str()]).collect();
    assert_eq!(rows, [["9", "", "RXT"], ["6", "", "RRK"], ["5", "334", "RXT"]]);
}

#[test]
fn what_has_no_basis_recorded_is_listed_and_not_taken_for_consent() {
    let mut bare = release(5, 1, ("RXT", "statute"));
    bare.event.decision = None;
    let entries = [bare];
    let (without, with) = first_of_each(&entries);
    assert_eq!(with, 0);
    assert_eq!(words(&by_month(&without, NAMES, false))[0][1], "none is recorded");
}

#[test]
fn for_outside_one_to_four_are_not_told() {
    let few: Vec<Entry> = (1..=4).map(|n| release(n, u128::from(n), ("RXT", "statute"))).collect();
    let enough: Vec<Entry> =
        (5..=9).map(|n| release(n, u128::from(n), ("RRK", "statute"))).collect();
    let entries: Vec<&Entry> = few.iter().chain(&enough).collect();
    let rows = words(&by_month(&entries, NAMES, true));
    assert_eq!(rows[0][5..], ["5".to_owned(), "5".to_owned()]);
    assert_eq!(rows[1][5..], ["under 5".to_owned(), "under 5".to_owned()]);
}

use super::super::super::tests::{code, entry, release};
use super::*;

fn stopped(seq: u64, which: u128, kind: EventKind) -> Entry {
    let mut stopped = release(seq, which, ("RXT", "consent"));
    stopped.event.kind = kind;
    stopped
}

#[test]
fn what_was_stopped_stands_in_the_same_commit_and_what_had_left_before_it() {
    let senders =
        Senders::known([1, 2, 3].map(|which| {
            (release(0, which, ("RXT", "consent")).event.record.unwrap(), code("334"))
        }));
    let mut recalled = stopped(21, 6, EventKind::DeliveryWithdrawn);
    recalled.event.decision = None;
    let newest_first = [
        stopped(30, 5, EventKind::DeliveryHeld),
        release(25, 4, ("RXT", "statute")),
        stopped(23, 3, EventKind::DeliveryWithdrawn),
        stopped(22, 2, EventKind::DeliveryHeld),
        recalled,
        release(9, 1, ("RRK", "statute")),
        release(5, 1, ("RRK", "consent")),
    ];
    let effects = of_entries(&newest_first, (20, 24), &senders);
    let said: Vec<(&str, &str, Option<&str>, Option<&str>)> = effects
        .iter()
        .map(|one| (one.what, one.recipient.as_str(), one.sender.as_deref(), one.basis.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            (STOPPED_WITHDRAWN, "RXT", Some("334"), Some("consent")),
            (STOPPED_HELD, "RXT", Some("334"), Some("consent")),
            // Left twice: it counts once, when it first left and under what it did last.
            (LEFT, "RRK", Some("334"), Some("statute")),
        ]
    );
    assert_eq!(effects[2].at, Some(newest_first[6].at()));
    assert!(of_entries(&newest_first, (2, 3), &senders).is_empty());
}

#[test]
fn a_recall_is_told_beside_what_it_took_back() {
    let stop = entry(20, EventKind::ConsentRecorded, "334");
    let left = release(5, 1, ("RXT", "consent"));
    let effects = of_entries(std::slice::from_ref(&left), (20, 21), &Senders::default());
    let recalls = Recalls::from([(left.event.delivery.unwrap(), (stop.at(), None))]);
    let names: Names<'_> = &|code| format!("the name of {code}");
    let cells = row(&stop, &effects[0], "a mark", (names, &recalls));
    let words: Vec<String> = cells.iter().map(Cell::words).collect();
    assert_eq!(words.len(), COLUMNS.len());
    assert_eq!(words[4], LEFT);
    assert_eq!(words[7..9], ["RXT", "the name of RXT"]);
    assert_eq!(words[13], words[1], "recalled when it was withdrawn");
    assert_eq!(words[14], "", "nobody has acknowledged");
}

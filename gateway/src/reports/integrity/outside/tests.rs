use super::super::super::tests::{entry, words};
use super::*;

#[test]
fn each_holder_has_a_row_and_what_does_not_stand_is_a_fault() {
    let line = |holder: &str, stands| Line {
        holder: holder.to_owned(),
        means: "cosignature".to_owned(),
        size: 7,
        signed: Some(Timestamp::UNIX_EPOCH),
        since: None,
        stands,
    };
    let outside = Outside {
        heads: Vec::new(),
        faults: vec!["a fault".to_owned()],
        lines: vec![line("one/witness", true), line("other/witness", false)],
    };
    let rows = words(&outside.sheet());
    let said: Vec<[&str; 3]> =
        rows.iter().map(|row| [row[0].as_str(), row[2].as_str(), row[5].as_str()]).collect();
    assert_eq!(said, [["one/witness", "7", "yes"], ["other/witness", "7", "NO"]]);
    assert_eq!(outside.rows(), [vec![Cell::from("fault"), Cell::from("a fault")]]);
    assert_eq!(outside.noted(Made::default()).notes, [NOT_CONTINUED, HELD]);
    assert_eq!(Outside::default().noted(Made::default()).notes, [NOBODY]);
}

#[test]
fn the_last_verification_is_told_with_what_it_found() {
    let mut said = entry(12, EventKind::AuditViewed, "gateway");
    said.event = said.event.with("what", "verify").with("entries", 12);
    let outcome = |entry: &Entry| verified_rows(Some(entry))[2][1].words();
    assert_eq!(outcome(&said), "whole", "only a whole log was ever told of");
    said.event = said.event.with("outcome", "whole");
    assert_eq!(outcome(&said), "whole");
    assert_eq!(verified_rows(None)[0][1].words(), NEVER);
}

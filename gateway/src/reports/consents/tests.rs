use jiff::Timestamp;
use schemas::RecordId;
use uuid::Uuid;

use super::super::tests::{code, entry, release, words};
use super::*;

/// A decision of the ledger with the entry that recorded it at a place of the log.
fn recorded(
    seq: u64,
    status: ConsentStatus,
    (by, day): (Option<DecisionMaker>, &str),
) -> (Entry, ConsentEntry) {
    let record = RecordId(Uuid::from_u128(u128::from(seq)));
    let mut said = entry(seq, EventKind::ConsentRecorded, "334");
    said.event.record = Some(record);
    said.event = said.event.with("status", name_of(status));
    let mut kept = ConsentEntry::bare(status, record, code("334"), Timestamp::UNIX_EPOCH);
    kept.given_by = by;
    kept.decided_on = Some(day.parse().unwrap());
    (said, kept)
}

/// What is found of a release on a basis at place 50, after these decisions.
fn found(basis: &str, decisions: &[(Entry, ConsentEntry)]) -> Option<Finding> {
    let mut entries: Vec<Entry> = decisions.iter().map(|(entry, _)| entry.clone()).collect();
    entries.push(release(50, 1, ("RXT", basis)));
    entries.reverse();
    let ledger: Vec<ConsentEntry> = decisions.iter().map(|(_, kept)| kept.clone()).collect();
    let mut found = after_stops(&entries, &ledger);
    assert!(found.len() <= 1);
    found.pop().map(|one| one.finding)
}

const PARENT: Option<DecisionMaker> = Some(DecisionMaker::Parent);
const YOUNG: Option<DecisionMaker> = Some(DecisionMaker::YoungPerson);

#[test]
fn a_release_on_agreement_that_was_withdrawn_is_found() {
    use ConsentStatus::{Given, Refused, Withdrawn};
    let given = || recorded(1, Given, (PARENT, "2026-01-01"));
    let withdrawn = || recorded(2, Withdrawn, (PARENT, "2026-01-02"));
    assert_eq!(found("consent", &[given()]), None);
    assert_eq!(found("consent", &[given(), withdrawn()]), Some(Finding::Violation));
    let refused = recorded(2, Refused, (None, "2026-01-02"));
    assert_eq!(found("consent", &[refused]), Some(Finding::Violation));
    // A nightly extract that still says what was said before undoes nothing.
    let stale = recorded(3, Given, (PARENT, "2026-01-01"));
    assert_eq!(found("consent", &[given(), withdrawn(), stale]), Some(Finding::Violation));
    // After the release, it does not matter.
    let later = recorded(60, Withdrawn, (PARENT, "2026-01-02"));
    assert_eq!(found("consent", &[given(), later]), None);
}

#[test]
fn what_was_agreed_again_or_rests_on_something_else_is_no_violation() {
    use ConsentStatus::{Given, Withdrawn};
    let withdrawn = || recorded(2, Withdrawn, (PARENT, "2026-01-02"));
    let again = recorded(3, Given, (PARENT, "2026-01-03"));
    assert_eq!(found("consent", &[withdrawn(), again]), None);
    let statute = Some(Finding::Otherwise("statute".to_owned()));
    assert_eq!(found("statute", &[withdrawn()]), statute);
    let own = || recorded(1, Given, (YOUNG, "2026-01-01"));
    assert_eq!(found("consent", &[own(), withdrawn()]), Some(Finding::OwnAgreement));
    // The young person's own no is not undone by a parent.
    let no = recorded(2, Withdrawn, (YOUNG, "2026-01-02"));
    let parent = recorded(3, Given, (PARENT, "2026-01-03"));
    assert_eq!(found("consent", &[own(), no, parent]), Some(Finding::Violation));
}

#[test]
fn a_decision_about_the_plan_stops_the_plan_alone() {
    let (said, mut plan) = recorded(2, ConsentStatus::Withdrawn, (PARENT, "2026-01-02"));
    plan.kind = ConsentKind::Plan;
    assert_eq!(found("consent", &[(said.clone(), plan.clone())]), None);
    let mut entries = vec![release(50, 1, ("RXT", "consent")), said];
    entries[0].event.decision.as_mut().unwrap().consent = Some(plan.record);
    let released = after_stops(&entries, &[plan]);
    assert_eq!(released[0].finding, Finding::Violation);
    let sheet = after_withdrawal(&released, &|code| code.to_owned(), Marks::of(9));
    assert_eq!(words(&sheet)[0][0], VIOLATION);
}

#[test]
fn decisions_are_counted_by_month_and_people_who_said_no_are_known() {
    let mut said = recorded(2, ConsentStatus::Withdrawn, (PARENT, "2026-01-02")).0;
    said.event.subject = Some(SubjectKey([7; 32]));
    let given = recorded(3, ConsentStatus::Given, (PARENT, "2026-01-02")).0;
    let entries = [given, said];
    assert_eq!(stopped_ever(&entries), BTreeSet::from([SubjectKey([7; 32])]));
    let all: Vec<&Entry> = entries.iter().collect();
    assert_eq!(words(&by_month(&all)), [["2026-01", "given", "1"], ["2026-01", "withdrawn", "1"]]);
    let about = (entries[1].event.record.unwrap(), "withdrawn".to_owned());
    let known = Said::from([(about, (ConsentKind::Plan, PARENT))]);
    let rows = words(&decisions(&all, &known, &|code| code.to_owned(), Marks::of(9)));
    assert_eq!(rows[1][2..5], ["withdrawn", "plan", "parent"]);
    assert_eq!(rows[0][2..5], ["given", "", ""], "the ledger has nothing of it");
}

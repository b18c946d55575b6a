use jiff::civil::date;
use schemas::record::ConsentStatus;

use super::*;
use crate::authority::fixtures::*;
use crate::authority::{Outcome, decide};

fn dated(version: u32, status: ConsentStatus, day: Option<Date>, by: &str) -> ConsentEntry {
    ConsentEntry { decided_on: day, recorded_by: org(by), ..entry(version, status) }
}

#[expect(clippy::unnecessary_wraps, reason = "entries hold an optional date")]
fn day(day: i8) -> Option<Date> {
    Some(date(2026, 2, day))
}

fn withdrawn() -> ConsentEntry {
    dated(2, ConsentStatus::Withdrawn, day(10), "334")
}

fn given_on(version: u32, on: Option<Date>, by: &str) -> ConsentEntry {
    dated(version, ConsentStatus::Given, on, by)
}

fn excluding(on: Option<Date>) -> ConsentEntry {
    ConsentEntry { exclusions: vec![org("334"), org("RYW")], ..given_on(2, on, "334") }
}

fn rule_for(ledger: &[ConsentEntry]) -> String {
    decide(&transition(), &evidence(ledger, &[]), &book(), now(), today()).rule
}

fn by_law(ledger: &[ConsentEntry]) -> Outcome {
    decide(&request(), &evidence(ledger, &[]), &book(), now(), today()).outcome
}

const RELEASED: &str = "transition-health-plan";

#[test]
fn a_stale_given_after_a_withdrawal_or_a_refusal_does_not_release() {
    let refused = dated(2, ConsentStatus::Refused, day(10), "334");
    for (stop, rule) in [(withdrawn(), "consent-withdrawn"), (refused, "consent-disputed")] {
        for on in [day(9), Some(date(2026, 1, 1)), None] {
            for by in ["334", "RYW"] {
                let ledger = [given(), stop.clone(), given_on(3, on, by)];
                assert_eq!(rule_for(&ledger), rule, "{on:?} {by}");
                assert_eq!(by_law(&ledger), Outcome::Hold, "{on:?} {by}");
            }
        }
    }
}

#[test]
fn a_given_dated_after_a_withdrawal_releases_whoever_recorded_it() {
    for by in ["334", "RYW"] {
        let ledger = [given(), withdrawn(), given_on(3, day(11), by)];
        assert_eq!(rule_for(&ledger), RELEASED);
        assert_eq!(by_law(&ledger), Outcome::Release);
    }
}

#[test]
fn a_given_of_the_same_day_by_the_recorder_of_the_withdrawal_releases() {
    assert_eq!(rule_for(&[withdrawn(), given_on(3, day(10), "334")]), RELEASED);
    // Recorded before the withdrawal, it does not.
    assert_eq!(rule_for(&[given_on(1, day(10), "334"), withdrawn()]), "consent-withdrawn");
}

#[test]
fn a_given_of_the_same_day_by_another_organisation_does_not_release() {
    let ledger = [withdrawn(), given_on(3, day(10), "RYW")];
    assert_eq!(rule_for(&ledger), "consent-withdrawn");
    assert_eq!(by_law(&ledger), Outcome::Hold);
}

#[test]
fn a_withdrawal_without_a_date_has_the_london_day_on_which_it_was_recorded() {
    // Half past midnight on 2 July in London.
    let recorded_at = "2025-07-01T23:30:00Z".parse().unwrap();
    let undated = ConsentEntry { decided_on: None, recorded_at, ..withdrawn() };
    let then = |on| rule_for(&[undated.clone(), given_on(3, Some(on), "RYW")]);
    assert_eq!(then(date(2025, 7, 2)), "consent-withdrawn");
    assert_eq!(then(date(2025, 7, 3)), RELEASED);
}

#[test]
fn a_given_dated_in_the_future_lifts_nothing_yet() {
    let ledger = [withdrawn(), given_on(3, Some(date(2026, 3, 3)), "334")];
    assert_eq!(rule_for(&ledger), "consent-withdrawn");
    assert_eq!(by_law(&ledger), Outcome::Hold);
}

#[test]
fn every_withdrawal_must_be_lifted_not_only_the_last_recorded() {
    let late = dated(3, ConsentStatus::Withdrawn, Some(date(2026, 1, 6)), "RYW");
    let between = given_on(4, day(9), "334");
    let ledger = [withdrawn(), late, between, given_on(5, day(11), "334")];
    assert_eq!(rule_for(&ledger[..3]), "consent-withdrawn");
    assert_eq!(rule_for(&ledger), RELEASED);
}

#[test]
fn a_given_from_before_a_lifted_withdrawal_does_not_widen_what_was_agreed_after_it() {
    let again = ConsentEntry {
        purposes: vec!["ehc-needs-assessment".to_owned()],
        ..given_on(3, day(11), "334")
    };
    assert_eq!(rule_for(&[withdrawn(), again, given_on(4, day(1), "RYW")]), "consent-purpose");
}

#[test]
fn exclusions_survive_a_stale_given() {
    for (on, by) in [(day(9), "334"), (None, "334"), (day(10), "RYW")] {
        let ledger = [excluding(day(10)), given_on(3, on, by)];
        assert_eq!(rule_for(&ledger), "recipient-excluded", "{on:?} {by}");
        assert_eq!(by_law(&ledger), Outcome::Hold, "{on:?} {by}");
    }
}

#[test]
fn a_newer_given_replaces_the_exclusions_before_it() {
    for (on, by) in [(day(11), "RYW"), (day(10), "334")] {
        let ledger = [excluding(day(10)), given_on(3, on, by)];
        assert_eq!(rule_for(&ledger), RELEASED, "{on:?} {by}");
    }
}

#[test]
fn entries_that_share_a_version_or_have_none_yet_keep_their_order() {
    let numbered = |entry, version| ConsentEntry { version, ..entry };
    let before = numbered(given(), 7);
    for version in [0, 7, 90] {
        let stop = numbered(withdrawn(), version);
        let again = given_on(version, day(11), "RYW");
        assert_eq!(rule_for(&[before.clone(), stop.clone()]), "consent-withdrawn", "{version}");
        assert_eq!(rule_for(&[before.clone(), stop, again]), RELEASED, "{version}");
    }
}

#[test]
fn a_ledger_of_twenty_thousand_entries_is_decided() {
    let one = |version: u32| match version % 4 {
        0 => given_on(version, day(9), "RYW"),
        1 => ConsentEntry { version, ..withdrawn() },
        2 => ConsentEntry { version, ..excluding(day(10)) },
        _ => dated(version, ConsentStatus::NotRecorded, None, "RYW"),
    };
    let mut ledger: Vec<_> = (1..=20_000).map(one).collect();
    ledger.push(ConsentEntry { version: 20_001, ..withdrawn() });
    assert_eq!(rule_for(&ledger), "consent-withdrawn");
    ledger.push(given_on(20_002, day(11), "RYW"));
    assert_eq!(rule_for(&ledger), RELEASED);
}

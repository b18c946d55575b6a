//! When a run of races proves something, and when it does not.

use super::{Tally, faults};

fn tally(races: u64, sent: u64) -> Tally {
    Tally { races, sent, stopped: races - sent, ..Tally::default() }
}

/// The only fault, of a run on SQLite with nothing named.
fn fault(tally: Tally) -> String {
    let mut found = faults(&[], &[("sqlite", tally)]);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_contested_run_in_which_nothing_left_afterwards_proves_it() {
    let both = [("sqlite", tally(100, 1)), ("postgres", tally(100, 99))];
    assert!(faults(&["sqlite", "postgres"], &both).is_empty());
    assert!(faults(&[], &[("sqlite", tally(100, 50))]).is_empty(), "PostgreSQL was not named");
}

#[test]
fn a_run_without_races_proves_nothing() {
    assert!(faults(&[], &[])[0].contains("No race was run"));
    assert!(fault(tally(0, 0)).contains("No race was run"));
}

#[test]
fn an_engine_that_was_named_must_have_run() {
    let found = faults(&["sqlite", "postgres"], &[("sqlite", tally(100, 50))]);
    assert_eq!(found, ["postgres was asked for by name and did not run."]);
}

#[test]
fn a_run_of_a_hundred_that_all_ended_one_way_contested_nothing() {
    assert!(fault(tally(100, 100)).contains("nothing was stopped"));
    assert!(fault(tally(100, 0)).contains("nothing was sent"));
    assert!(faults(&[], &[("sqlite", tally(99, 99))]).is_empty(), "few races may all go one way");
}

#[test]
fn one_byte_after_an_acknowledgement_is_a_fault() {
    let leaked = Tally { bytes_after: 1, ..tally(100, 50) };
    assert!(fault(leaked).contains("1 bytes left after an acknowledgement"));
}

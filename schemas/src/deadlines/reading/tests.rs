use jiff::civil::date;

use super::super::{Rules, RulesError};
use crate::catalogue::{Catalogue, line_of};

const CLOCKS: &str = include_str!("../../../rules/clocks-1.toml");
const HOLIDAYS: &str = include_str!("../../../rules/bank-holidays-england-wales.toml");

fn refused(clocks: &str) -> RulesError {
    Rules::parse(clocks, HOLIDAYS).expect_err("refused")
}

/// A second version after the shipped one, changed in one place.
fn with_second(from: &str, to: &str) -> String {
    let second = CLOCKS.split_once("[[version]]\nid").expect("one version").1;
    let second = second.replacen("clocks-1", "clocks-2", 1).replacen(from, to, 1);
    format!("{CLOCKS}\n[[version]]\nid{second}")
}

fn line_with(text: &str, needle: &str) -> usize {
    line_of(text, text.rfind(needle).expect("in the text"))
}

#[test]
fn two_versions_from_the_same_date_are_found_with_line_and_fix() {
    let text = with_second("source = \"Children", "source = \"The Children");
    let error = refused(&text);
    let line = line_with(&text, "id = \"clocks-2\"");
    let words = format!(
        "clocks, line {line}: clocks-1 and clocks-2 both hold from 2014-09-01; give the later one \
         a later effective_from, or take one out"
    );
    assert_eq!(error.to_string(), words);
}

#[test]
fn versions_out_of_order_are_found() {
    let error = refused(&with_second("2014-09-01", "2013-09-01"));
    assert!(error.to_string().ends_with("put versions in order of effective_from"), "{error}");
}

#[test]
fn two_versions_of_one_name_are_found() {
    let text = with_second("2014-09-01", "2027-09-01").replacen("clocks-2", "clocks-1", 1);
    assert!(matches!(refused(&text), RulesError::Order { .. }));
}

#[test]
fn versions_that_overlap_are_found() {
    let text = with_second("2014-09-01", "2027-09-01").replacen(
        "effective_from = \"2014-09-01\"",
        "effective_from = \"2014-09-01\"\neffective_until = \"2027-09-01\"",
        1,
    );
    let error = refused(&text);
    assert!(error.to_string().contains("clocks-1 still holds on 2027-09-01"), "{error}");
    let text = text.replacen("2027-09-01", "2027-08-31", 1);
    let rules = Rules::parse(&text, HOLIDAYS).expect("one ends the day before the next begins");
    assert_eq!(rules.version_on(date(2027, 8, 31)).expect("one").id, "clocks-1");
    assert_eq!(rules.version_on(date(2027, 9, 1)).expect("one").id, "clocks-2");
}

#[test]
fn a_version_that_has_ended_gives_no_dates_and_one_that_ends_early_is_refused() {
    let ended = CLOCKS.replacen(
        "effective_from = \"2014-09-01\"",
        "effective_from = \"2014-09-01\"\neffective_until = \"2025-12-31\"",
        1,
    );
    let rules = Rules::parse(&ended, HOLIDAYS).expect("parses");
    assert!(rules.advice_due(date(2025, 12, 31)).is_ok());
    let error = rules.advice_due(date(2026, 1, 1)).expect_err("ended");
    assert_eq!(error.to_string(), "no rules hold on 2026-01-01: a version must begin by then");
    let one_day = Rules::parse(&ended.replacen("2025-12-31", "2014-09-01", 1), HOLIDAYS);
    assert!(one_day.expect("parses").advice_due(date(2014, 9, 2)).is_err());
    let backwards = ended.replacen("2025-12-31", "2013-12-31", 1);
    assert!(matches!(refused(&backwards), RulesError::Order { .. }));
}

#[test]
fn a_period_that_stands_twice_is_named_with_its_line() {
    let text = CLOCKS.replacen("id = \"reg-5\"", "id = \"reg-4\"", 1);
    let RulesError::Period { line, period, .. } = refused(&text) else { panic!("a period") };
    assert_eq!((line, period.as_str()), (line_with(&text, "id = \"reg-4\""), "reg-4"));
}

#[test]
fn two_rows_about_the_same_duty_contradict_each_other() {
    let row = "\n[[version.period]]\nid = \"reg-8-short\"\nlength = 4\nunit = \"weeks\"\n\
        starts = \"the service receives the request for advice\"\nowes = \"the service asked\"\n\
        words = \"give advice and information\"\nprovision = \"local\"\nverified = false\n\
        note = \"local\"\n";
    let error = refused(&format!("{CLOCKS}{row}"));
    assert!(error.to_string().contains("reg-8-short is due for the same thing"), "{error}");
}

#[test]
fn lengths_that_a_unit_cannot_have_are_refused() {
    let cases = [
        ("length = 20", "length = 2000000"),
        (
            "length = 15\nunit = \"days-beginning-with\"",
            "length = -15\nunit = \"days-beginning-with\"",
        ),
        ("length = 6\nunit = \"weeks\"", "length = 0\nunit = \"weeks\""),
        ("month = 2\nday = 15", "month = 2\nday = 30"),
        ("month = 2\nday = 15", "month = 2\nday = 29"),
        ("month = 2\nday = 15", "month = 2"),
        ("length = 14\nunit = \"birthday\"", "length = 140\nunit = \"birthday\""),
        (
            "length = 15\nunit = \"days-beginning-with\"",
            "length = 0\nunit = \"days-beginning-with\"",
        ),
        ("length = 0\nunit = \"that-day\"", "length = 3\nunit = \"that-day\""),
        ("unit = \"that-day\"", "unit = \"that-day\"\nmonth = 2\nday = 15"),
    ];
    for (from, to) in cases {
        assert!(CLOCKS.contains(from), "{from}");
        let error = refused(&CLOCKS.replacen(from, to, 1));
        assert!(matches!(error, RulesError::Period { .. }), "{to}: {error}");
    }
}

#[test]
fn a_version_without_the_six_weeks_of_advice_is_refused() {
    let error = refused(&CLOCKS.replacen("id = \"reg-8\"", "id = \"reg-7\"", 1));
    assert!(matches!(error, RulesError::Missing { .. }), "{error}");
}

#[test]
fn an_exception_that_is_not_there_is_found_where_it_is_named() {
    let text = CLOCKS.replacen("id = \"reg-8-2-c\"", "id = \"reg-8-2-d\"", 1);
    let error = refused(&text);
    assert!(error.to_string().contains("is excused by reg-8-2-c, which is no"), "{error}");
}

#[test]
fn what_is_not_verified_must_have_a_note() {
    let text = CLOCKS.replacen(
        "note = \"That an answer with reasons is owed is verified; the 5 weeks are from general knowledge.\"",
        "note = \"\"",
        1,
    );
    assert_ne!(text, CLOCKS);
    assert!(
        refused(&text).to_string().contains("tribunal-response is not verified and has no note")
    );
}

#[test]
fn an_exception_or_a_manner_that_stands_twice_is_refused() {
    let text = CLOCKS.replacen(
        "[[version.exception]]\nid = \"reg-10-4-d\"",
        "[[version.exception]]\nid = \"reg-10-4-c\"",
        1,
    );
    assert!(matches!(refused(&text), RulesError::Period { .. } | RulesError::Exception { .. }));
    let text = CLOCKS.replacen(
        "days_min = 28\nwords = \"the child, the parent",
        "days_min = 0\nwords = \"the child, the parent",
        1,
    );
    assert!(matches!(refused(&text), RulesError::Exception { .. }));
    let text = CLOCKS.replacen("manner = \"by-hand\"", "manner = \"e-mail\"", 1);
    assert!(matches!(refused(&text), RulesError::Receipt { .. }));
}

#[test]
fn a_condition_needs_both_of_its_halves() {
    let text = CLOCKS.replacen(", where = \"will_assess\", is = \"yes\"", ", is = \"yes\"", 1);
    assert!(refused(&text).to_string().contains("give both"));
}

#[test]
fn every_message_that_moves_a_clock_is_in_the_catalogue() {
    let known: Vec<&str> = Catalogue::built_in()
        .entries()
        .iter()
        .flat_map(|entry| entry.types.iter().map(String::as_str))
        .collect();
    for period in &Rules::built_in().versions()[0].periods {
        for mark in period.started_by.iter().chain(&period.met_by).chain(&period.ended_by) {
            assert!(known.contains(&mark.message.as_str()), "{}: {}", period.id, mark.message);
        }
    }
}

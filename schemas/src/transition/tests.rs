use jiff::civil::{Date, date};

use super::{Anchor, Moment, TransitionRules, birthday};
use crate::deadlines::year_group;

const FILE: &str = include_str!("../../rules/transition-1.toml");

fn day(item: &str, which: &str, born: Date) -> Date {
    let version = TransitionRules::built_in().version_on(date(2026, 1, 1)).expect("a version");
    let item = version.item(item).expect("an item");
    let moment = if which == "from" { item.from } else { item.by };
    moment.on(born, None).expect("a date")
}

/// What the file says once a line of it is changed.
fn fault(from: &str, to: &str) -> String {
    assert!(FILE.contains(from), "nothing to change: {from}");
    let changed = FILE.replacen(from, to, 1);
    TransitionRules::parse(&changed).expect_err("a fault").to_string()
}

#[test]
fn year_9_is_the_school_year_in_which_the_child_turns_14() {
    for born in [date(2011, 9, 1), date(2012, 1, 31), date(2012, 8, 31)] {
        let start = day("planning-started", "from", born);
        assert_eq!(start, date(2025, 9, 1));
        assert_eq!(day("planning-started", "by", born), date(2026, 8, 31));
        assert_eq!(year_group(born, start), 9, "the two ways of counting agree");
        let turns_14 = birthday(born, 14).expect("a date");
        assert!(turns_14 >= start && turns_14 <= date(2026, 8, 31));
    }
    assert_eq!(day("planning-started", "from", date(2012, 9, 1)), date(2026, 9, 1));
}

#[test]
fn a_child_born_on_29_february_is_14_16_17_and_18_on_1_march_of_other_years() {
    let born = date(2012, 2, 29);
    let turns = |age| birthday(born, age).expect("a date");
    assert_eq!(turns(14), date(2026, 3, 1));
    assert_eq!(turns(16), date(2028, 2, 29));
    assert_eq!(turns(17), date(2029, 3, 1));
    assert_eq!(turns(18), date(2030, 3, 1));
}

#[test]
fn the_notice_at_14_is_due_on_the_14th_birthday() {
    assert_eq!(day("notify-14", "by", date(2012, 5, 4)), date(2026, 5, 4));
}

#[test]
fn screening_is_owed_from_the_16th_birthday_and_a_decision_from_the_17th() {
    let born = date(2010, 7, 3);
    assert_eq!(day("screening-16", "from", born), date(2026, 7, 3));
    assert_eq!(day("screening-16", "by", born), date(2026, 10, 3));
    assert_eq!(day("decision-17", "from", born), date(2027, 7, 3));
    assert_eq!(day("decision-17", "by", born), date(2027, 10, 3));
    assert_eq!(day("package-18", "by", born), date(2028, 7, 3));
}

#[test]
fn the_plan_is_amended_by_15_february_of_year_6_and_by_31_march_of_year_11() {
    let born = date(2010, 7, 3);
    assert_eq!(day("phase-transfer-secondary", "by", born), date(2021, 2, 15));
    assert_eq!(day("phase-transfer-post-16", "by", born), date(2026, 3, 31));
    assert_eq!(day("phase-transfer-post-16", "by", date(2010, 9, 1)), date(2027, 3, 31));
    assert_eq!(day("phase-transfer-post-16", "by", date(2010, 8, 31)), date(2026, 3, 31));
}

#[test]
fn support_runs_six_months_either_side_of_the_planned_transfer_or_of_the_18th_birthday() {
    let version = TransitionRules::built_in().version_on(date(2026, 1, 1)).expect("a version");
    let before = version.item("support-before-transfer").expect("an item").from;
    let after = version.item("support-after-transfer").expect("an item").by;
    let born = date(2010, 8, 31);
    assert_eq!(before.on(born, None).expect("a date"), date(2028, 2, 29));
    assert_eq!(after.on(born, None).expect("a date"), date(2029, 2, 28));
    let planned = Some(date(2029, 1, 10));
    assert_eq!(before.on(born, planned).expect("a date"), date(2028, 7, 10));
    assert_eq!(after.on(born, planned).expect("a date"), date(2029, 7, 10));
}

#[test]
fn nothing_is_owed_before_the_first_version() {
    assert!(TransitionRules::built_in().version_on(date(2014, 8, 31)).is_none());
    assert!(TransitionRules::built_in().version_on(date(2014, 9, 1)).is_some());
}

#[test]
fn what_was_not_verified_says_whose_figure_it_is() {
    for version in TransitionRules::built_in().versions() {
        for item in version.items.iter().filter(|item| !item.verified) {
            assert!(item.note.as_ref().is_some_and(|note| note.len() > 20), "{}", item.id);
        }
    }
}

#[test]
fn a_fault_in_the_file_is_named_with_its_line_and_what_to_do() {
    let said = fault("id = \"named-worker\"", "id = \"notify-14\"");
    assert!(said.contains("stands twice; rename one") && said.contains("line "), "{said}");
    let line = FILE.lines().position(|line| line == "id = \"notify-14\"").expect("a line") + 1;
    assert!(said.contains(&format!("line {line}:")), "the last of the two: {said}");
    let said = fault("by = { at = \"birthday\", age = 14 }", "by = { at = \"birthday\" }");
    assert!(said.contains("`age` is 1 to 25"), "{said}");
    let said = fault("by = { at = \"birthday\", age = 14 }", "by = { at = \"birthday\", age = 9 }");
    assert!(said.contains("due before it begins"), "{said}");
    let said = fault("evidence = [\"transition.notify_14\"]", "evidence = []");
    assert!(said.contains("name one in `evidence`"), "{said}");
    let said = fault("evidence = [\"transition.notify_14\"]", "evidence = [\"transition.wish\"]");
    assert!(said.starts_with("transition rules, line "), "{said}");
    let said = fault("warnings = [6, 3, 1]", "warnings = [1, 3, 6]");
    assert!(said.contains("most first"), "{said}");
    let said = fault("renew_months = 12", "renew_months = 0");
    assert!(said.contains("1 to 60"), "{said}");
    let said = fault("late_entry_days = 28", "late_entry_days = 28\nhurry = true");
    assert!(said.contains("hurry"), "{said}");
}

#[test]
fn a_moment_says_only_what_its_anchor_needs() {
    let moment = |at| Moment { at, year: None, age: None, month: None, day: None, months: 0 };
    assert!(moment(Anchor::Transfer).fault().is_none());
    assert!(moment(Anchor::YearStart).fault().is_some());
    assert!(Moment { year: Some(9), ..moment(Anchor::Birthday) }.fault().is_some());
    let in_year = Moment { year: Some(11), ..moment(Anchor::InYear) };
    assert!(in_year.fault().is_some());
    assert!(Moment { month: Some(2), day: Some(29), ..in_year }.fault().is_some());
    assert!(Moment { month: Some(3), day: Some(31), ..in_year }.fault().is_none());
    assert!(Moment { months: 37, ..moment(Anchor::Transfer) }.fault().is_some());
}

#[test]
fn the_day_from_which_somebody_is_looked_at_tells_the_school_year_of_birth_and_no_more() {
    let version = TransitionRules::built_in().version_on(date(2026, 1, 1)).expect("a version");
    for born in [date(2011, 9, 1), date(2012, 2, 29), date(2012, 8, 31)] {
        assert_eq!(version.begins(born).expect("a date"), date(2022, 9, 1));
    }
}

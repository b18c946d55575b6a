use jiff::civil::{Weekday, date};
use proptest::prelude::*;

use super::*;

const CLOCKS: &str = include_str!("../../rules/clocks-1.toml");
const HOLIDAYS: &str = include_str!("../../rules/bank-holidays-england-wales.toml");

fn due(period: &str, from: Date) -> Due {
    Rules::built_in().due(period, from).expect("a date within the rules")
}

#[test]
fn six_sixteen_and_twenty_weeks_from_a_request_for_an_assessment() {
    let received = date(2025, 9, 1);
    assert_eq!(due("reg-4", received).statutory, date(2025, 10, 13));
    assert_eq!(due("reg-5", received).statutory, date(2025, 10, 13));
    assert_eq!(due("reg-10", received).statutory, date(2025, 12, 22));
    assert_eq!(due("reg-13-2", received).statutory, date(2026, 1, 19));
}

#[test]
fn advice_is_due_six_weeks_after_the_request_is_received() {
    let due = Rules::built_in().advice_due(date(2025, 9, 15)).expect("due");
    assert_eq!(due.statutory, date(2025, 10, 27));
    assert_eq!(due.rule_version, "clocks-1");
}

#[test]
fn the_operational_date_is_a_day_earlier_and_a_working_day() {
    // Received on a Wednesday: the day before the due Wednesday is a Tuesday.
    assert_eq!(due("reg-8", date(2025, 9, 17)).operational, date(2025, 10, 28));
    // Received on a Monday: the day before is a Sunday, so the Friday.
    assert_eq!(due("reg-8", date(2025, 9, 15)).operational, date(2025, 10, 24));
    // Due on Saturday 27 December 2025: Boxing Day and Christmas Day are not worked.
    assert_eq!(due("reg-8", date(2025, 11, 15)).operational, date(2025, 12, 24));
    // Due on Tuesday 7 April 2026: Easter Monday, the weekend and Good Friday are not worked.
    assert_eq!(due("reg-8", date(2026, 2, 24)).operational, date(2026, 4, 2));
}

#[test]
fn counting_the_day_of_receipt_as_day_1_gives_a_day_less() {
    let rules = Rules::built_in().clone().counting(Counting::ReceiptDayIsDay1);
    let due = rules.advice_due(date(2025, 9, 17)).expect("due");
    assert_eq!(due.statutory, date(2025, 10, 28));
    assert_eq!(due.operational, date(2025, 10, 28), "already the earlier of the two ways");
    let review = rules.review_dates(date(2025, 11, 10)).expect("review");
    assert_eq!(review.report_by, date(2025, 11, 24), "meetings are not receipts");
}

#[test]
fn a_review_meeting_gives_its_four_dates() {
    let review = Rules::built_in().review_dates(date(2025, 11, 10)).expect("review");
    assert_eq!(review.papers_out_by, date(2025, 10, 27));
    assert_eq!(review.report_by, date(2025, 11, 24));
    assert_eq!(review.decision_by, date(2025, 12, 8));
    assert_eq!(review.final_by, date(2026, 2, 2));
}

#[test]
fn fifteen_days_beginning_with_the_day_a_draft_is_served() {
    assert_eq!(days_beginning_with(date(2025, 12, 1), 15), Ok(date(2025, 12, 15)));
    assert_eq!(due("reg-13-1", date(2025, 12, 1)).statutory, date(2025, 12, 15));
}

#[test]
fn fifteen_working_days_leave_out_a_bank_holiday() {
    let end = Rules::built_in().working_days_beginning_with(date(2026, 5, 18), 15);
    assert_eq!(end, Ok(date(2026, 6, 8)));
    assert_eq!(due("reg-15", date(2026, 5, 18)).statutory, date(2026, 6, 8));
    let none = HOLIDAYS.replace("    \"2026-05-25\", # Spring\n", "");
    let ignoring = Rules::parse(CLOCKS, &none).expect("parses");
    let end = ignoring.working_days_beginning_with(date(2026, 5, 18), 15);
    assert_eq!(end, Ok(date(2026, 6, 5)));
}

#[test]
fn working_days_that_begin_on_a_weekend_begin_on_the_monday() {
    let end = Rules::built_in().working_days_beginning_with(date(2025, 9, 13), 1);
    assert_eq!(end, Ok(date(2025, 9, 15)));
}

#[test]
fn compulsory_school_age_ends_on_the_last_friday_of_june() {
    let cases = [
        (date(2010, 7, 3), date(2026, 6, 26)),
        (date(2010, 8, 31), date(2026, 6, 26)),
        (date(2010, 9, 1), date(2027, 6, 25)),
    ];
    for (born, ends) in cases {
        assert_eq!(end_of_compulsory_school_age(born), Ok(ends));
    }
}

#[test]
fn compulsory_school_age_starts_on_one_of_three_days() {
    let cases = [
        (date(2021, 3, 31), date(2026, 3, 31)),
        (date(2021, 4, 1), date(2026, 8, 31)),
        (date(2021, 9, 1), date(2026, 12, 31)),
    ];
    for (born, starts) in cases {
        assert_eq!(start_of_compulsory_school_age(born), Ok(starts));
    }
}

#[test]
fn year_9_is_the_school_year_of_the_fourteenth_birthday() {
    let born = date(2012, 8, 31);
    assert!(!is_year_9_or_above(born, date(2025, 8, 31)));
    assert!(is_year_9_or_above(born, date(2025, 9, 1)));
    let born = date(2012, 9, 1);
    assert!(!is_year_9_or_above(born, date(2026, 8, 31)));
    assert!(is_year_9_or_above(born, date(2026, 9, 1)));
    assert_eq!(year_group(date(2020, 9, 1), date(2025, 9, 1)), 0, "reception");
}

#[test]
fn a_leap_day_birthday_has_every_date() {
    let born = date(2012, 2, 29);
    assert_eq!(end_of_compulsory_school_age(born), Ok(date(2028, 6, 30)));
    assert_eq!(start_of_compulsory_school_age(born), Ok(date(2017, 3, 31)));
}

#[test]
fn reminders_fall_before_on_and_after_the_due_date() {
    let reminders = Rules::built_in().reminders(date(2025, 10, 27)).expect("reminders");
    let dates: Vec<Date> = reminders.iter().map(|reminder| reminder.on).collect();
    let expected = [(10, 13), (10, 20), (10, 25), (10, 27), (11, 3)];
    assert_eq!(dates, expected.map(|(month, day)| date(2025, month, day)));
    assert_eq!(reminders.first().map(|r| r.offset_days), Some(-14));
}

#[test]
fn the_bank_holidays_are_those_that_follow_from_the_rules() {
    let computed: Vec<Date> = (2024..=2028).flat_map(bank_holidays_by_rule).collect();
    let table: Vec<Date> = Rules::built_in().bank_holidays().dates().collect();
    assert_eq!(table, computed);
}

/// New Year, Good Friday, Easter Monday, the first and last Mondays of May, the last of August,
/// Christmas Day and Boxing Day; each that falls on a weekend moves to the next day that is free.
fn bank_holidays_by_rule(year: i16) -> Vec<Date> {
    let easter = easter_sunday(year);
    let monday = |month, nth| date(year, month, 1).nth_weekday_of_month(nth, Weekday::Monday);
    let mut days = vec![
        easter.checked_sub(2.days()).expect("Good Friday"),
        easter.tomorrow().expect("Easter Monday"),
        monday(5, 1).expect("early May"),
        monday(5, -1).expect("spring"),
        monday(8, -1).expect("summer"),
    ];
    for (month, day) in [(1, 1), (12, 25), (12, 26)] {
        let mut on = date(year, month, day);
        let weekend = |on: Date| matches!(on.weekday(), Weekday::Saturday | Weekday::Sunday);
        while weekend(on) || days.contains(&on) {
            on = on.tomorrow().expect("a day");
        }
        days.push(on);
    }
    days.sort();
    days
}

/// The Gregorian reckoning of Easter, by golden number, century and Sunday.
fn easter_sunday(year: i16) -> Date {
    let golden = year % 19;
    let century = year / 100;
    let moon = (century - century / 4 - (8 * century + 13) / 25 + 19 * golden + 15) % 30;
    let full = moon - (moon / 28) * (1 - (29 / (moon + 1)) * ((21 - golden) / 11));
    let sunday = (year + year / 4 + full + 2 - century + century / 4) % 7;
    let after_march = 28 + full - sunday;
    date(year, 3, 1).checked_add((i64::from(after_march) - 1).days()).expect("Easter")
}

#[test]
fn a_working_day_question_beyond_the_table_is_an_error_not_a_guess() {
    let rules = Rules::built_in();
    let unknown =
        DeadlineError::BankHolidaysUnknown { from: date(2024, 1, 1), until: date(2028, 12, 31) };
    assert_eq!(rules.advice_due(date(2028, 12, 1)), Err(unknown.clone()));
    assert_eq!(rules.working_days_beginning_with(date(2028, 12, 20), 15), Err(unknown));
    assert!(rules.advice_due(date(2028, 11, 1)).is_ok());
    assert_eq!(rules.bank_holidays().covers_from(), date(2024, 1, 1));
    assert_eq!(rules.bank_holidays().covers_until(), date(2028, 12, 31));
}

#[test]
fn a_date_before_the_rules_has_none() {
    let error = Rules::built_in().advice_due(date(2014, 8, 31)).expect_err("no rules");
    assert!(matches!(error, DeadlineError::BeforeRules { .. }), "{error}");
}

#[test]
fn a_period_that_does_not_exist_is_named() {
    let error = Rules::built_in().due("reg-99", date(2025, 1, 6)).expect_err("none");
    assert_eq!(error.to_string(), "clocks-1 has no period named reg-99");
}

#[test]
fn no_days_is_no_period() {
    let start = date(2025, 1, 6);
    assert_eq!(days_beginning_with(start, 0), Err(DeadlineError::NoDays));
    let working = Rules::built_in().working_days_beginning_with(start, 0);
    assert_eq!(working, Err(DeadlineError::NoDays));
}

#[test]
fn the_version_is_that_which_holds_when_the_clock_starts() {
    let second = CLOCKS.split_once("\n[[version]]").expect("one version").1;
    let second = second.replace("clocks-1", "clocks-2").replace("2014-09-01", "2026-09-01");
    let second = second.replacen("id = \"reg-8\"\nlength = 6", "id = \"reg-8\"\nlength = 4", 1);
    let both = format!("{CLOCKS}\n[[version]]{second}");
    let rules = Rules::parse(&both, HOLIDAYS).expect("parses");
    let before = rules.advice_due(date(2026, 8, 31)).expect("due");
    assert_eq!((before.statutory, before.rule_version.as_str()), (date(2026, 10, 12), "clocks-1"));
    let after = rules.advice_due(date(2026, 9, 1)).expect("due");
    assert_eq!((after.statutory, after.rule_version.as_str()), (date(2026, 9, 29), "clocks-2"));
    let backwards = format!("[[version]]{second}{CLOCKS}");
    assert!(matches!(Rules::parse(&backwards, HOLIDAYS), Err(RulesError::Order { .. })));
}

#[test]
fn what_was_decided_is_shown_under_its_own_version_or_the_newest_where_that_is_gone() {
    let second = CLOCKS.split_once("\n[[version]]").expect("one version").1;
    let second = second.replace("clocks-1", "clocks-2").replace("2014-09-01", "2026-09-01");
    let rules = Rules::parse(&format!("{CLOCKS}\n[[version]]{second}"), HOLIDAYS).expect("parses");
    let shown = |id| rules.version_named(id).map(|version| version.id.as_str());
    assert_eq!(shown("clocks-1"), Some("clocks-1"));
    assert_eq!(shown("clocks-2"), Some("clocks-2"));
    assert_eq!(shown("clocks-0"), Some("clocks-2"), "no longer in the file");
}

#[test]
fn a_mistake_in_a_file_of_rules_is_named_with_its_line() {
    let misspelt = CLOCKS.replacen("reminder_days", "reminder_day", 1);
    let error = Rules::parse(&misspelt, HOLIDAYS).expect_err("refused");
    assert!(matches!(error, RulesError::Clocks { line, .. } if line > 1), "{error}");
    let impossible = HOLIDAYS.replacen("2024-01-01\", #", "2024-01-32\", #", 1);
    let error = Rules::parse(CLOCKS, &impossible).expect_err("refused");
    assert!(matches!(error, RulesError::BankHolidays { .. }), "{error}");
}

#[test]
fn statutory_clocks_of_the_catalogue_name_a_period_where_they_are_named_like_one() {
    let version = Rules::built_in().version_on(date(2026, 1, 1)).expect("rules");
    for entry in crate::catalogue::Catalogue::built_in().entries() {
        let Some(clock) = entry.clock.as_ref().filter(|clock| clock.id.starts_with("reg-")) else {
            continue;
        };
        assert!(version.period(&clock.id).is_ok(), "{}: {}", entry.number, clock.id);
    }
}

proptest! {
    #[test]
    fn the_operational_date_is_a_working_day_before_the_statutory_one(days in 0i64..1_700) {
        let received = date(2024, 1, 2).checked_add(days.days()).expect("a date");
        let rules = Rules::built_in();
        let due = rules.advice_due(received).expect("within the table");
        prop_assert_eq!(due.statutory, received.checked_add(42.days()).expect("a date"));
        prop_assert!(due.operational < due.statutory);
        prop_assert_eq!(rules.bank_holidays().is_working_day(due.operational), Ok(true));
    }

    #[test]
    fn one_more_working_day_is_always_later(days in 0i64..1_500, n in 1u32..60) {
        let start = date(2024, 1, 1).checked_add(days.days()).expect("a date");
        let rules = Rules::built_in();
        let end = rules.working_days_beginning_with(start, n).expect("within the table");
        let next = rules.working_days_beginning_with(start, n + 1).expect("within the table");
        prop_assert!(start <= end && end < next);
    }

    #[test]
    fn compulsory_school_age_ends_on_a_friday_at_the_end_of_june_aged_15_or_16(
        days in 0i64..60_000,
    ) {
        let born = date(1950, 1, 1).checked_add(days.days()).expect("a date");
        let end = end_of_compulsory_school_age(born).expect("a date");
        prop_assert_eq!(end.weekday(), Weekday::Friday);
        prop_assert_eq!(end.month(), 6);
        prop_assert!(end.day() >= 24);
        prop_assert_eq!(year_group(born, end), 11);
        let start = start_of_compulsory_school_age(born).expect("a date");
        prop_assert!(start < end);
    }

    #[test]
    fn no_date_and_no_length_makes_the_rules_panic(
        year in -9999i16..=9999, month in 1i8..=12, day in 1i8..=28, n in any::<i32>(),
    ) {
        let on = date(year, month, day);
        let rules = Rules::built_in();
        let _ = rules.advice_due(on);
        let _ = rules.review_dates(on);
        let _ = rules.reminders(on);
        let _ = weeks_after(on, n);
        let _ = days_beginning_with(on, n.unsigned_abs());
        let _ = rules.working_days_beginning_with(on, n.unsigned_abs());
        let _ = end_of_compulsory_school_age(on);
        let _ = start_of_compulsory_school_age(on);
        let _ = year_group(on, date(-9999, 1, 1));
    }
}

//! Every period of the law, by the dates of the domain reference and by sweeps over years.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use proptest::prelude::*;

use super::super::{
    Counting, DeadlineError, Due, Nature, PeriodUnit, Rules, is_year_9_or_above, year_group,
};

/// Every period there must be, in the order of the file: one that vanishes is noticed.
const PERIODS: [&str; 44] = [
    "cfa-23",
    "reg-4",
    "reg-5",
    "reg-8",
    "reg-10",
    "reg-13-1",
    "reg-13-2",
    "draft-health-review",
    "reg-15",
    "reg-15-intentions",
    "reg-16",
    "reg-16-request",
    "reg-18-31-march",
    "reg-18-15-february",
    "reg-18-post-16",
    "cfa-44",
    "review-notice",
    "review-papers",
    "review-report",
    "review-decision",
    "review-final",
    "reg-22-views",
    "reg-22",
    "review-term-list",
    "reg-26",
    "reg-31",
    "reg-44-assess",
    "reg-44-no-plan",
    "reg-44-plan",
    "reg-44-amend",
    "tribunal-response",
    "tribunal-directions",
    "transition-year-9",
    "transition-14",
    "transition-16",
    "decision-maker",
    "transition-17",
    "transition-18",
    "careact-58",
    "transition-support-before",
    "transition-support-after",
    "chc-28",
    "cyp-cc",
    "plan-end",
];
/// The one period that is as soon as practicable, and has no date.
const WITHOUT_A_DATE: &str = "reg-31";

fn due(period: &str, from: Date) -> Due {
    Rules::built_in().due(period, from).expect("a date within the rules")
}

fn end(period: &str, from: Date) -> Date {
    Rules::built_in().ends(period, from).expect("an end").0.statutory
}

#[test]
fn both_ways_of_counting_six_weeks_are_shown() {
    let due = due("reg-8", date(2025, 9, 15));
    assert_eq!(due.statutory, date(2025, 10, 27), "the day of receipt left out");
    assert_eq!(due.alternative, Some(date(2025, 10, 26)), "the day of receipt being day 1");
    assert_eq!(due.operational, date(2025, 10, 24), "the last working day by the earlier of both");
}

#[test]
fn the_other_way_round_shows_both_ways_too() {
    let rules = Rules::built_in().clone().counting(Counting::ReceiptDayIsDay1);
    let due = rules.due("reg-8", date(2025, 9, 15)).expect("due");
    assert_eq!(due.statutory, date(2025, 10, 26));
    assert_eq!(due.alternative, Some(date(2025, 10, 27)));
    assert_eq!(due.operational, date(2025, 10, 24));
}

#[test]
fn six_sixteen_and_twenty_weeks_have_an_alternative_a_day_earlier() {
    let received = date(2025, 9, 1);
    let cases = [
        ("reg-4", date(2025, 10, 13)),
        ("reg-5", date(2025, 10, 13)),
        ("reg-10", date(2025, 12, 22)),
        ("reg-13-2", date(2026, 1, 19)),
    ];
    for (period, on) in cases {
        let due = due(period, received);
        assert_eq!(due.statutory, on, "{period}");
        assert_eq!(due.alternative, on.yesterday().ok(), "{period}");
    }
}

#[test]
fn health_advice_asked_for_after_a_full_first_six_weeks_is_due_at_week_twelve() {
    let decided = end("reg-5", date(2025, 9, 1));
    assert_eq!(end("reg-8", decided), date(2025, 11, 24));
    assert_eq!((date(2025, 11, 24) - date(2025, 9, 1)).get_days(), 84);
}

#[test]
fn a_draft_served_on_1_december_is_open_for_views_to_15_december() {
    let due = due("reg-13-1", date(2025, 12, 1));
    assert_eq!((due.statutory, due.alternative), (date(2025, 12, 15), None));
}

#[test]
fn fifteen_working_days_beginning_18_may_2026_end_on_8_june() {
    for period in ["reg-15", "reg-16", "reg-16-request"] {
        assert_eq!(due(period, date(2026, 5, 18)).statutory, date(2026, 6, 8), "{period}");
    }
}

#[test]
fn a_transfer_with_long_notice_is_due_on_the_day_of_the_move() {
    let rules = Rules::built_in();
    let due = rules.due_not_before("reg-15", date(2026, 5, 18), date(2026, 7, 1)).expect("due");
    assert_eq!(due.statutory, date(2026, 7, 1));
}

#[test]
fn a_transfer_with_short_notice_is_due_fifteen_working_days_from_becoming_aware() {
    let rules = Rules::built_in();
    for moved_on in [date(2026, 5, 1), date(2026, 5, 20), date(2026, 6, 8)] {
        let due = rules.due_not_before("reg-15", date(2026, 5, 18), moved_on).expect("due");
        assert_eq!(due.statutory, date(2026, 6, 8));
    }
}

#[test]
fn the_new_authority_tells_the_family_its_intentions_within_six_weeks() {
    assert_eq!(end("reg-15-intentions", date(2026, 6, 8)), date(2026, 7, 20));
}

#[test]
fn a_review_meeting_on_10_november_2025_gives_the_whole_chain() {
    let meeting = date(2025, 11, 10);
    let chain = [
        ("review-notice", date(2025, 10, 27)),
        ("review-papers", date(2025, 10, 27)),
        ("review-report", date(2025, 11, 24)),
        ("review-decision", date(2025, 12, 8)),
        ("review-final", date(2026, 2, 2)),
    ];
    for (period, on) in chain {
        let due = due(period, meeting);
        assert_eq!((due.statutory, due.alternative), (on, None), "{period}: one way only");
    }
}

#[test]
fn by_the_devon_judgment_four_weeks_and_eight_weeks_are_twelve() {
    for day in 0..400 {
        let meeting = date(2025, 1, 1).checked_add(day.days()).expect("a date");
        let notice = end("review-decision", meeting);
        assert_eq!(end("reg-22", notice), end("review-final", meeting));
    }
}

#[test]
fn a_move_from_secondary_school_to_post_16_is_amended_by_31_march_of_its_year() {
    let due = due("reg-18-31-march", date(2026, 9, 1));
    assert_eq!(due.statutory, date(2026, 3, 31));
    assert_eq!(due.alternative, Some(date(2026, 3, 30)), "before 31 March, by the letter");
    assert_eq!(due.operational, date(2026, 3, 30));
}

#[test]
fn any_other_phase_transfer_is_amended_by_15_february_of_its_year() {
    let due = due("reg-18-15-february", date(2026, 9, 1));
    assert_eq!(due.statutory, date(2026, 2, 15));
    assert_eq!(due.alternative, Some(date(2026, 2, 14)), "before 15 February, by the letter");
    assert_eq!(due.operational, date(2026, 2, 13), "the Friday before");
}

#[test]
fn a_move_between_post_16_institutions_is_amended_five_months_before() {
    assert_eq!(end("reg-18-post-16", date(2026, 9, 1)), date(2026, 4, 1));
    assert_eq!(end("reg-18-post-16", date(2026, 7, 31)), date(2026, 2, 28), "no 31 February");
}

#[test]
fn a_plan_is_reviewed_within_twelve_months() {
    assert_eq!(end("cfa-44", date(2026, 1, 19)), date(2027, 1, 19));
    assert_eq!(end("cfa-44", date(2024, 2, 29)), date(2025, 2, 28));
}

#[test]
fn after_the_tribunal_there_are_two_ten_fourteen_and_five_weeks() {
    let order = date(2026, 1, 5);
    assert_eq!(end("reg-44-assess", order), date(2026, 1, 19));
    assert_eq!(end("reg-44-no-plan", order), date(2026, 3, 16));
    assert_eq!(end("reg-44-plan", order), date(2026, 4, 13));
    assert_eq!(end("reg-44-amend", order), date(2026, 2, 9));
}

#[test]
fn what_is_not_verified_is_a_default_with_a_note() {
    let version = Rules::built_in().version_on(date(2026, 1, 1)).expect("rules");
    let unverified =
        ["tribunal-response", "reg-26", "chc-28", "cyp-cc", "cfa-44", "review-term-list"];
    for id in unverified {
        let period = version.period(id).expect("a period");
        assert!(!period.verified && !period.note.is_empty(), "{id}");
    }
    assert_eq!(end("tribunal-response", date(2026, 1, 5)), date(2026, 2, 9));
    assert_eq!(end("reg-26", date(2026, 1, 5)), date(2026, 4, 13));
    assert_eq!(end("chc-28", date(2026, 1, 5)), date(2026, 2, 2));
    assert_eq!(end("cyp-cc", date(2026, 1, 5)), date(2026, 2, 16));
    assert_eq!(end("review-term-list", date(2026, 4, 20)), date(2026, 4, 6));
}

#[test]
fn section_23_applies_until_the_day_before_compulsory_school_age() {
    let cases = [
        (date(2021, 3, 31), date(2026, 3, 30)),
        (date(2021, 4, 1), date(2026, 8, 30)),
        (date(2021, 9, 1), date(2026, 12, 30)),
    ];
    for (born, last) in cases {
        assert_eq!(end("cfa-23", born), last);
    }
}

#[test]
fn the_decision_maker_changes_after_the_last_friday_of_june() {
    assert_eq!(end("decision-maker", date(2010, 7, 3)), date(2026, 6, 26));
    assert_eq!(end("decision-maker", date(2010, 8, 31)), date(2026, 6, 26));
    assert_eq!(end("decision-maker", date(2010, 9, 1)), date(2027, 6, 25));
}

#[test]
fn the_checkpoints_of_transition_follow_the_birthday_and_the_school_year() {
    let born = date(2012, 8, 31);
    assert_eq!(end("transition-year-9", born), date(2025, 9, 1));
    assert_eq!(end("transition-year-9", date(2012, 9, 1)), date(2026, 9, 1));
    assert_eq!(end("transition-14", born), date(2026, 8, 31));
    assert_eq!(end("transition-16", born), date(2028, 8, 31));
    assert_eq!(end("transition-17", born), date(2029, 8, 31));
    assert_eq!(
        end("transition-18", born),
        date(2030, 8, 31),
        "beyond the bank holidays, and known"
    );
    assert_eq!(end("careact-58", born), date(2030, 8, 31));
    assert_eq!(end("plan-end", born), date(2037, 8, 31));
    assert_eq!(end("plan-end", date(2012, 9, 1)), date(2038, 8, 31));
}

#[test]
fn support_lasts_six_months_before_and_six_months_after_a_transfer() {
    let transfer = date(2026, 8, 31);
    assert_eq!(end("transition-support-before", transfer), date(2026, 2, 28));
    assert_eq!(end("transition-support-after", transfer), date(2027, 2, 28));
}

#[test]
fn somebody_born_on_29_february_is_older_on_1_march_of_other_years() {
    let born = date(2012, 2, 29);
    assert_eq!(end("transition-14", born), date(2026, 3, 1));
    assert_eq!(end("transition-16", born), date(2028, 2, 29));
}

#[test]
fn what_has_no_number_has_no_date() {
    let error = Rules::built_in().due("reg-31", date(2026, 1, 5)).expect_err("no date");
    assert_eq!(error, DeadlineError::NoFixedDate { period: "reg-31".to_owned() });
}

#[test]
fn a_birth_before_the_rules_is_counted_by_the_first_of_them() {
    let rules = Rules::built_in();
    assert!(rules.ends("transition-14", date(2010, 5, 1)).is_ok());
    let error = rules.ends("reg-8", date(2010, 5, 1)).expect_err("no rules then");
    assert!(matches!(error, DeadlineError::BeforeRules { .. }));
}

#[test]
fn the_day_of_directions_is_the_day_named() {
    assert_eq!(end("tribunal-directions", date(2026, 5, 7)), date(2026, 5, 7));
}

#[test]
fn every_period_of_the_reference_is_there_with_its_provision() {
    let version = Rules::built_in().version_on(date(2026, 1, 1)).expect("rules");
    let ids: Vec<&str> = version.periods.iter().map(|period| period.id.as_str()).collect();
    assert_eq!(ids, PERIODS);
    for period in &version.periods {
        assert!(!period.provision.is_empty() && !period.owes.is_empty(), "{}", period.id);
        assert!(!period.starts.is_empty() && !period.words.is_empty(), "{}", period.id);
    }
    let advice = version.period("reg-8").expect("reg-8");
    assert_eq!(advice.excused_by, ["reg-8-2-a", "reg-8-2-b", "reg-8-2-c"], "these three only");
    assert_eq!(advice.nature, Nature::Duty);
    for id in ["reg-5", "reg-10", "reg-13-2"] {
        let excused = &version.period(id).expect("a period").excused_by;
        assert_eq!(excused, &["reg-10-4-a", "reg-10-4-b", "reg-10-4-c", "reg-10-4-d"], "{id}");
    }
}

#[test]
fn a_waiting_list_a_vacancy_and_an_unknown_child_never_excuse() {
    let version = Rules::built_in().version_on(date(2026, 1, 1)).expect("rules");
    for reason in ["waiting-list", "staffing", "vacancy", "not-known-to-service", "other"] {
        assert!(version.never_excuses(reason), "{reason}");
    }
    assert!(version.exceptions.iter().all(|exception| !version.never_excuses(&exception.id)));
}

#[test]
fn over_all_days_of_four_years_every_period_ends_where_its_unit_says() {
    let rules = Rules::built_in();
    let version = rules.version_on(date(2024, 1, 1)).expect("rules");
    for day in 0..1_461 {
        let from = date(2024, 1, 1).checked_add(day.days()).expect("a date");
        for id in PERIODS {
            let period = version.period(id).expect("a period");
            let Ok((ends, _)) = rules.ends(id, from) else {
                assert_eq!((id, period.unit), (WITHOUT_A_DATE, PeriodUnit::NoFixedDate));
                continue;
            };
            let ahead = (ends.statutory - from).get_days();
            match period.unit {
                PeriodUnit::Weeks => assert_eq!(ahead, period.length * 7, "{}", period.id),
                PeriodUnit::Days => assert_eq!(ahead, period.length),
                PeriodUnit::DaysBeginningWith => assert_eq!(ahead, period.length - 1),
                PeriodUnit::WorkingDaysBeginningWith => {
                    assert!(ahead >= period.length - 1, "{}", period.id);
                    assert_eq!(rules.bank_holidays().is_working_day(ends.statutory), Ok(true));
                }
                PeriodUnit::CalendarDay => assert_eq!(ends.statutory.year(), from.year()),
                PeriodUnit::Months => assert!(ends.statutory.day() <= from.day()),
                PeriodUnit::ThatDay => assert_eq!(ahead, 0),
                PeriodUnit::SchoolYear => {
                    assert_eq!(i32::from(year_group(from, ends.statutory)), period.length);
                    assert!(is_year_9_or_above(from, ends.statutory));
                    let day_before = ends.statutory.yesterday().expect("a date");
                    assert!(!is_year_9_or_above(from, day_before));
                }
                PeriodUnit::Birthday => {
                    assert_eq!(i32::from(ends.statutory.year() - from.year()), period.length);
                }
                PeriodUnit::EndOfCompulsorySchoolAge => {
                    assert_eq!(ends.statutory.weekday(), Weekday::Friday);
                }
                PeriodUnit::SchoolYearEnd
                | PeriodUnit::BeforeCompulsorySchoolAge
                | PeriodUnit::NoFixedDate => assert!(ends.statutory > from),
            }
            let alternative = ends.alternative.unwrap_or(ends.statutory);
            assert!((ends.statutory - alternative).get_days().abs() <= 1, "{}", period.id);
        }
    }
}

proptest! {
    #[test]
    fn the_day_to_work_to_keeps_both_ways_and_is_worked(days in 0i64..1_500) {
        let from = date(2024, 3, 1).checked_add(days.days()).expect("a date");
        let rules = Rules::built_in();
        for period in ["reg-4", "reg-5", "reg-8", "reg-22", "reg-18-15-february", "reg-13-1"] {
            let due = rules.due(period, from).expect("within the table");
            prop_assert!(due.operational <= due.statutory);
            prop_assert!(due.alternative.is_none_or(|other| due.operational <= other));
            prop_assert_eq!(rules.bank_holidays().is_working_day(due.operational), Ok(true));
        }
    }

    #[test]
    fn a_later_event_is_never_due_earlier(days in 0i64..1_300, later in 0i64..60) {
        let from = date(2024, 1, 2).checked_add(days.days()).expect("a date");
        let then = from.checked_add(later.days()).expect("a date");
        for period in PERIODS.into_iter().filter(|id| *id != WITHOUT_A_DATE) {
            prop_assert!(end(period, from) <= end(period, then), "{}", period);
        }
    }

    #[test]
    fn no_date_makes_any_period_panic(
        year in -9999i16..=9999, month in 1i8..=12, day in 1i8..=28,
    ) {
        let on = date(year, month, day);
        let rules = Rules::built_in();
        for period in &rules.versions()[0].periods {
            let _ = rules.ends(&period.id, on);
            let _ = rules.due(&period.id, on);
            let _ = rules.due_not_before(&period.id, on, on);
        }
    }
}

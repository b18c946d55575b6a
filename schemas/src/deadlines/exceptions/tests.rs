//! What excuses being late, and what never does.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::super::{Claim, NotShown, Rules};

const RECEIVED: Date = date(2025, 9, 15);
const DUE: Date = date(2025, 10, 27);

fn advice(exception: &str, claim: Claim) -> Result<String, NotShown> {
    let rules = Rules::built_in();
    rules.excuse(("reg-8", RECEIVED, DUE), exception, &claim).map(|found| found.provision.clone())
}

fn decision(exception: &str, claim: Claim) -> Result<(), NotShown> {
    // A request received on Monday 2 June 2025; the 20 weeks end on 20 October.
    let period = ("reg-13-2", date(2025, 6, 2), date(2025, 10, 20));
    Rules::built_in().excuse(period, exception, &claim).map(|_| ())
}

fn days(from: Date, until: Date) -> Claim {
    Claim { from: Some(from), until: Some(until), asked_on: None }
}

fn day(on: Date) -> Claim {
    Claim { from: Some(on), ..Claim::default() }
}

#[test]
fn only_the_three_limbs_of_regulation_8_2_excuse_late_advice() {
    let within = days(date(2025, 9, 20), date(2025, 10, 25));
    for limb in ["reg-8-2-a", "reg-8-2-b", "reg-8-2-c"] {
        assert!(advice(limb, within).is_ok(), "{limb}");
    }
    for other in ["reg-10-4-a", "reg-10-4-c", "reg-10-4-d", "waiting-list", "staffing", ""] {
        let refused = advice(other, within).expect_err("no excuse");
        assert!(matches!(refused, NotShown::NotListed { .. }), "{other}: {refused}");
    }
}

#[test]
fn an_absence_of_four_weeks_on_end_within_the_six_weeks_excuses() {
    assert!(advice("reg-8-2-b", days(date(2025, 9, 22), date(2025, 10, 19))).is_ok(), "28 days");
}

#[test]
fn an_absence_of_a_day_less_than_four_weeks_does_not() {
    let refused = advice("reg-8-2-b", days(date(2025, 9, 22), date(2025, 10, 18)));
    assert!(matches!(refused, Err(NotShown::TooShort { days: 27, days_min: 28, .. })));
}

#[test]
fn only_the_days_of_an_absence_that_fall_in_the_six_weeks_count() {
    let long_before = days(date(2025, 7, 1), date(2025, 10, 1));
    assert!(matches!(advice("reg-8-2-b", long_before), Err(NotShown::TooShort { days: 17, .. })));
    let after = days(date(2025, 10, 28), date(2026, 1, 1));
    assert!(matches!(advice("reg-8-2-b", after), Err(NotShown::OutsideThePeriod { .. })));
}

#[test]
fn an_absence_needs_both_of_its_days() {
    let open = Claim { from: Some(RECEIVED), ..Claim::default() };
    assert!(matches!(advice("reg-8-2-b", open), Err(NotShown::Missing { .. })));
}

#[test]
fn a_missed_appointment_counts_when_its_day_is_within_the_six_weeks() {
    for on in [RECEIVED, date(2025, 10, 1), DUE] {
        assert!(advice("reg-8-2-c", day(on)).is_ok(), "{on}");
    }
    for on in [date(2025, 9, 14), date(2025, 10, 28)] {
        let refused = advice("reg-8-2-c", day(on));
        assert!(matches!(refused, Err(NotShown::OutsideThePeriod { .. })), "{on}");
    }
    let refused = advice("reg-8-2-c", Claim::default());
    assert!(matches!(refused, Err(NotShown::Missing { .. })), "the day is needed");
}

#[test]
fn exceptional_circumstances_must_touch_the_six_weeks() {
    assert!(advice("reg-8-2-a", day(date(2025, 9, 1))).is_ok(), "begun before, not over");
    assert!(advice("reg-8-2-a", days(DUE, DUE)).is_ok(), "one day, the last");
    let over = days(date(2025, 8, 1), date(2025, 9, 14));
    assert!(matches!(advice("reg-8-2-a", over), Err(NotShown::OutsideThePeriod { .. })));
}

#[test]
fn days_that_run_backwards_are_refused() {
    let backwards = days(date(2025, 10, 2), date(2025, 10, 1));
    assert!(matches!(advice("reg-8-2-a", backwards), Err(NotShown::Backwards { .. })));
}

#[test]
fn advice_asked_of_a_school_in_the_summer_holiday_excuses_the_twenty_weeks() {
    // Closed from Wednesday 23 July, open again on Wednesday 3 September: six weeks.
    let (closes, reopens) = (date(2025, 7, 23), date(2025, 9, 3));
    let asked = |on| Claim { asked_on: Some(on), ..days(closes, reopens) };
    for exception in ["reg-10-4-a", "reg-10-4-b"] {
        assert!(decision(exception, asked(date(2025, 7, 16))).is_ok(), "one week before closing");
        assert!(decision(exception, asked(date(2025, 8, 27))).is_ok(), "one week before opening");
        for on in [date(2025, 7, 15), date(2025, 8, 28)] {
            let refused = decision(exception, asked(on));
            assert!(matches!(refused, Err(NotShown::OutsideThePeriod { .. })), "{on}");
        }
    }
}

#[test]
fn a_closure_of_less_than_four_weeks_excuses_nothing() {
    // Two weeks at Easter, and a day less than four weeks in summer.
    let cases =
        [(date(2025, 6, 9), date(2025, 6, 23), 14), (date(2025, 7, 23), date(2025, 8, 19), 27)];
    for (closes, reopens, long) in cases {
        let claim = Claim { asked_on: Some(closes), ..days(closes, reopens) };
        let refused = decision("reg-10-4-a", claim);
        assert!(matches!(refused, Err(NotShown::TooShort { days, .. }) if days == long));
    }
    let four_weeks =
        Claim { asked_on: Some(date(2025, 7, 23)), ..days(date(2025, 7, 23), date(2025, 8, 20)) };
    assert!(decision("reg-10-4-a", four_weeks).is_ok());
}

#[test]
fn the_window_of_a_closure_is_a_week_early_at_both_ends() {
    let version = &Rules::built_in().versions()[0];
    let exception = version.exception("reg-10-4-a").expect("an exception");
    for first in 0..365 {
        let closes = date(2025, 1, 1).checked_add(first.days()).expect("a date");
        let reopens = closes.checked_add(42.days()).expect("a date");
        let window = exception.closure_window(closes, reopens);
        let expected = (closes.checked_sub(7.days()), reopens.checked_sub(7.days()));
        assert_eq!(window, Ok((expected.0.expect("a date"), expected.1.expect("a date"))));
    }
}

#[test]
fn health_has_no_school_holiday_exception() {
    let claim =
        Claim { asked_on: Some(date(2025, 9, 16)), ..days(date(2025, 9, 16), date(2025, 11, 1)) };
    for exception in ["reg-10-4-a", "reg-10-4-b"] {
        assert!(matches!(advice(exception, claim), Err(NotShown::NotListed { .. })));
    }
}

#[test]
fn an_absence_excuses_the_twenty_weeks_by_regulation_10_4_d() {
    assert!(decision("reg-10-4-d", days(date(2025, 8, 1), date(2025, 8, 28))).is_ok());
    let refused = decision("reg-10-4-d", days(date(2025, 8, 1), date(2025, 8, 27)));
    assert!(matches!(refused, Err(NotShown::TooShort { .. })));
}

#[test]
fn a_review_has_no_exception_at_all() {
    let period = ("review-decision", date(2025, 11, 10), date(2025, 12, 8));
    let refused = Rules::built_in().excuse(period, "reg-10-4-c", &day(date(2025, 11, 20)));
    let refused = refused.expect_err("no excuse");
    assert!(refused.to_string().contains("review-decision: nothing"), "{refused}");
}

#[test]
fn over_every_absence_in_the_six_weeks_exactly_those_of_28_days_excuse() {
    for first in -10i64..=50 {
        for long in 1i64..=60 {
            let from = RECEIVED.checked_add(first.days()).expect("a date");
            let until = from.checked_add((long - 1).days()).expect("a date");
            let inside = (0i64..=42).filter(|day| (first..first + long).contains(day)).count();
            let excused = advice("reg-8-2-b", days(from, until)).is_ok();
            assert_eq!(excused, inside >= 28, "{from} to {until}: {inside} days inside");
        }
    }
}

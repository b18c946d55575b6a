//! The reckoning, on made-up legs due on 27 October 2025.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::{Facts, Standing};
use crate::queue::LegState;

const DUE: Date = date(2025, 10, 27);

fn leg(state: LegState) -> Facts {
    Facts { state, statutory_due: DUE, expected_on: None, forecast_on: None, answered_on: None }
}

#[test]
fn on_the_statutory_date_it_is_in_time_and_the_day_after_overdue() {
    for state in [LegState::Waiting, LegState::Accepted, LegState::Partial] {
        assert_eq!(leg(state).standing(DUE), Standing::InTime);
        assert_eq!(leg(state).standing(date(2025, 10, 28)), Standing::Overdue);
    }
}

#[test]
fn an_exception_excuses_until_the_new_date_and_not_longer() {
    let excused = Facts { expected_on: Some(date(2025, 11, 20)), ..leg(LegState::Exception) };
    assert_eq!(excused.standing(DUE), Standing::InTime);
    assert_eq!(excused.standing(date(2025, 10, 28)), Standing::Excused);
    assert_eq!(excused.standing(date(2025, 11, 20)), Standing::Excused);
    assert_eq!(excused.standing(date(2025, 11, 21)), Standing::Overdue);
}

#[test]
fn a_forecast_of_being_late_excuses_nothing() {
    let late = Facts { forecast_on: Some(date(2025, 12, 24)), ..leg(LegState::Accepted) };
    assert_eq!(late.standing(date(2025, 10, 1)), Standing::LateForecast);
    assert_eq!(late.standing(date(2025, 10, 28)), Standing::Overdue);
}

#[test]
fn advice_is_on_time_excused_or_late_by_the_day_it_came() {
    let came = |on, expected_on| {
        let answered_on = Some(on);
        Facts { expected_on, answered_on, ..leg(LegState::Answered) }.standing(date(2026, 1, 1))
    };
    assert_eq!(came(DUE, None), Standing::OnTime);
    assert_eq!(came(date(2025, 10, 28), None), Standing::AnsweredLate);
    assert_eq!(came(date(2025, 10, 28), Some(date(2025, 11, 1))), Standing::AnsweredExcused);
    assert_eq!(came(date(2025, 11, 2), Some(date(2025, 11, 1))), Standing::AnsweredLate);
}

proptest! {
    #[test]
    fn what_is_overdue_stays_overdue_until_it_is_answered(
        days in 0i64..400, later in 0i64..400, exception in proptest::option::of(0i64..200),
    ) {
        let expected_on = exception.map(|more| DUE.checked_add(more.days()).expect("a date"));
        let facts = Facts { expected_on, ..leg(LegState::Accepted) };
        let on = date(2025, 6, 1).checked_add(days.days()).expect("a date");
        let then = on.checked_add(later.days()).expect("a date");
        if facts.standing(on) == Standing::Overdue {
            prop_assert_eq!(facts.standing(then), Standing::Overdue);
        }
        prop_assert_eq!(facts.standing(on) == Standing::Overdue, on > facts.date_that_counts());
    }
}
